/** Two sentences that mean the same, as words. */
export interface SentencePair {
  readonly source: readonly string[];
  readonly target: readonly string[];
}

/** A word, a word it is aligned with, how probable that is, and how many alignments are expected in the data. */
export interface WordLink {
  readonly source: string;
  readonly target: string;
  /** p(target | source). */
  readonly probability: number;
  readonly count: number;
}

/** The word that stands for "aligned with nothing". */
export const NOTHING = '';

/**
 * IBM Model 1 (Brown et al. 1993, section 4.2): each target word is aligned with one source word or with nothing,
 *   p(target | source sentence) = prod_j 1/(l+1) sum_i t(target_j | source_i)
 * and t follows from expectation maximisation, `iterations` times. Links under `floor` are left out.
 */
export function trainModel1(pairs: readonly SentencePair[], iterations = 5, floor = 0.01): WordLink[] {
  const { sources, targets, links, sentences } = index(pairs);
  const linkCount = links.source.length;
  let t = new Float64Array(linkCount).fill(1);
  let counts = new Float64Array(linkCount);
  for (let iteration = 0; iteration < iterations; iteration++) {
    counts = new Float64Array(linkCount);
    for (const { grid, width } of sentences) {
      // One row of `grid` is one target word: its links with nothing and with every source word.
      for (let row = 0; row < grid.length; row += width) {
        let sum = 0;
        for (let i = row; i < row + width; i++) sum += t[grid[i]!]!;
        for (let i = row; i < row + width; i++) counts[grid[i]!]! += t[grid[i]!]! / sum;
      }
    }
    const totals = new Float64Array(sources.length);
    for (let link = 0; link < linkCount; link++) totals[links.source[link]!]! += counts[link]!;
    t = counts.map((count, link) => count / totals[links.source[link]!]!);
  }
  const result: WordLink[] = [];
  for (let link = 0; link < linkCount; link++) {
    if (t[link]! < floor) continue;
    const source = sources[links.source[link]!]!;
    const target = targets[links.target[link]!]!;
    result.push({ source, target, probability: t[link]!, count: counts[link]! });
  }
  return result;
}

function index(pairs: readonly SentencePair[]) {
  const sourceIds = new Map<string, number>([[NOTHING, 0]]);
  const targetIds = new Map<string, number>();
  const linkIds = new Map<number, number>();
  const links: { source: number[]; target: number[] } = { source: [], target: [] };
  const idOf = (ids: Map<string, number>, word: string): number => {
    const id = ids.get(word) ?? ids.size;
    if (id === ids.size) ids.set(word, id);
    return id;
  };
  const sentences = pairs.map(({ source, target }) => {
    const sourceWords = [0, ...source.map((word) => idOf(sourceIds, word))];
    const width = sourceWords.length;
    const grid = new Int32Array(width * target.length);
    target.forEach((word, j) => {
      const targetId = idOf(targetIds, word);
      sourceWords.forEach((sourceId, i) => {
        const key = sourceId * 2 ** 26 + targetId;
        let link = linkIds.get(key);
        if (link === undefined) {
          link = linkIds.size;
          linkIds.set(key, link);
          links.source.push(sourceId);
          links.target.push(targetId);
        }
        grid[j * width + i] = link;
      });
    });
    return { grid, width };
  });
  return { sources: [...sourceIds.keys()], targets: [...targetIds.keys()], links, sentences };
}
