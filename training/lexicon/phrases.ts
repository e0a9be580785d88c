import type { Lexicon, Translation } from './lexicon.ts';
import { NOTHING, type SentencePair, trainModel1 } from './model1.ts';

export interface PhraseLimits {
  /** Words of a phrase, on either side. */
  readonly longest: number;
  /** Translations kept per phrase. */
  readonly candidates: number;
  /** Times a phrase and its translation were seen together. */
  readonly sightings: number;
  /** Least p(target phrase | source phrase) over the places where the alignment gave the source phrase a counterpart. */
  readonly share: number;
  /** Phrases kept, the most frequent first. */
  readonly most: number;
}

const DEFAULT_LIMITS: PhraseLimits = { longest: 3, candidates: 3, sightings: 3, share: 0.15, most: 9000 };

/**
 * Phrases that a word-by-word translation gets wrong: "credit card", "carte de crédit". Pairs of phrases are consistent
 * with a word alignment if no word of one is aligned with a word outside the other (Koehn, Och and Marcu 2003, section 4.2);
 * the alignment holds the links that are the best in both directions of Model 1. Words of one translate to words of one in
 * the lexicon; here at least one side has more.
 */
export function learnPhrases(
  pairs: readonly SentencePair[],
  lexicon: Lexicon,
  limits: PhraseLimits = DEFAULT_LIMITS,
): Lexicon {
  const align = createAligner(pairs);
  const counts = new Map<string, Map<string, number>>();
  for (const pair of pairs) {
    for (const [source, target] of phrasePairs(pair, align(pair), limits.longest)) {
      const targets = counts.get(source) ?? new Map<string, number>();
      counts.set(source, targets.set(target, (targets.get(target) ?? 0) + 1));
    }
  }
  const found = [...counts].flatMap(([source, targets]) => {
    const total = [...targets.values()].reduce((sum, count) => sum + count, 0);
    const kept = translationsOf(targets, total, limits);
    return isNews(source, kept, lexicon) ? [{ source, total, kept }] : [];
  });
  found.sort((a, b) => b.total - a.total || (a.source < b.source ? -1 : 1));
  return new Map(found.slice(0, limits.most).map(({ source, kept }) => [source, kept]));
}

function translationsOf(targets: ReadonlyMap<string, number>, total: number, limits: PhraseLimits): Translation[] {
  const kept = [...targets]
    .filter(([, count]) => count >= limits.sightings && count / total >= limits.share)
    .sort(([a, x], [b, y]) => y - x || (a < b ? -1 : 1))
    .slice(0, limits.candidates);
  const sum = kept.reduce((sum, [, count]) => sum + count, 0);
  return kept.map(([word, count]) => ({ word, share: count / sum }));
}

/** Says something that the words one by one don't. */
function isNews(source: string, kept: readonly Translation[], lexicon: Lexicon): boolean {
  const [best] = kept;
  if (best === undefined) return false;
  const words = source.split(' ');
  if (words.length === 1) return best.word.includes(' ');
  const wordByWord = words.map((word) => lexicon.get(word)?.[0]?.word ?? word).filter((word) => word !== NOTHING);
  return best.word !== wordByWord.join(' ');
}

type Align = (pair: SentencePair) => readonly (readonly [source: number, target: number])[];

function createAligner(pairs: readonly SentencePair[]): Align {
  const forward = table(pairs);
  const backward = table(pairs.map(({ source, target }) => ({ source: target, target: source })));
  return ({ source, target }) => {
    const sourceOf = target.map((word) => best(source, (other) => forward(other, word), forward(NOTHING, word)));
    const targetOf = source.map((word) => best(target, (other) => backward(other, word), backward(NOTHING, word)));
    return sourceOf.flatMap((i, j) => (i >= 0 && targetOf[i] === j ? [[i, j] as const] : []));
  };
}

function table(pairs: readonly SentencePair[]): (source: string, target: string) => number {
  const links = new Map<string, number>();
  for (const { source, target, probability } of trainModel1(pairs)) links.set(`${source}\t${target}`, probability);
  return (source, target) => links.get(`${source}\t${target}`) ?? 0;
}

/** Index of the word with the greatest value, -1 if none is above that of nothing. */
function best(words: readonly string[], scoreOf: (word: string) => number, nothing: number): number {
  let found = -1;
  let greatest = nothing;
  words.forEach((word, i) => {
    const value = scoreOf(word);
    if (value > greatest) [found, greatest] = [i, value];
  });
  return found;
}

/** Source and target phrases, each joined by blanks; their first and last words are aligned. */
function* phrasePairs(
  { source, target }: SentencePair,
  links: ReturnType<Align>,
  longest: number,
): Generator<readonly [string, string]> {
  const targetOf = new Int32Array(source.length).fill(-1);
  const sourceOf = new Int32Array(target.length).fill(-1);
  for (const [i, j] of links) [targetOf[i], sourceOf[j]] = [j, i];
  for (let start = 0; start < source.length; start++) {
    let first = target.length;
    let last = -1;
    for (let end = start; end < Math.min(start + longest, source.length); end++) {
      const j = targetOf[end] as number;
      if (j >= 0) [first, last] = [Math.min(first, j), Math.max(last, j)];
      if (last < 0 || j < 0 || targetOf[start] === -1 || last - first >= longest) continue;
      if (end === start) [first, last] = widened(sourceOf, first, last, longest);
      const isInside = (i: number) => i < 0 || (i >= start && i <= end);
      if (!sourceOf.subarray(first, last + 1).every(isInside)) continue;
      yield [source.slice(start, end + 1).join(' '), target.slice(first, last + 1).join(' ')];
      if (end === start) [first, last] = [j, j];
    }
  }
}

/** A single word takes in the unaligned word behind it: "someone", "quelqu un". */
function widened(sourceOf: Int32Array, first: number, last: number, longest: number): [number, number] {
  const follows = last + 1 < sourceOf.length && sourceOf[last + 1] === -1 && last + 1 - first < longest;
  return [first, follows ? last + 1 : last];
}
