import type { Fault, SeedRow } from '../data/seeds.ts';
import { NearDuplicateIndex } from './near-duplicates.ts';
import { comparable } from './words.ts';

/** From this Jaccard index of their shingles on, two texts count as one. */
const NEAR_DUPLICATE = 0.7;

export interface DuplicatePair {
  readonly ids: readonly [string, string];
  readonly similarity: number;
  /** The two are each other's twins: a minimal pair, which is meant to be alike. */
  readonly twins: boolean;
}

/** Ids of rows that have one text, but for case, punctuation and spacing; translations may (names, "ok"). */
export function exactDuplicates(rows: readonly SeedRow[]): string[][] {
  const byText = new Map<string, SeedRow[]>();
  for (const row of rows) {
    const key = comparable(row.text);
    const same = byText.get(key);
    if (same) same.push(row);
    else byText.set(key, [row]);
  }
  return [...byText.values()]
    .filter((same) => same.length > 1 && !same.every(({ pair }) => pair !== undefined && pair === same[0]?.pair))
    .map((same) => same.map(({ id }) => id));
}

/** Rows of one language that are nearly alike, by language, in file order. */
export function nearDuplicates(rows: readonly SeedRow[]): DuplicatePair[] {
  const languages = new Set(rows.map(({ lang }) => lang));
  return [...languages].flatMap((lang) => {
    const own = rows.filter((row) => row.lang === lang);
    const index = new NearDuplicateIndex(
      own.map(({ text }) => text),
      NEAR_DUPLICATE,
    );
    return [...index.pairs()].map(({ first, second, similarity }) => {
      const [a, b] = [own[first] as SeedRow, own[second] as SeedRow];
      return { ids: [a.id, b.id] as const, similarity, twins: a.twin === b.id };
    });
  });
}

/** No text occurs twice, and none nearly twice but beside its own twin. */
export function duplicateFaults(rows: readonly SeedRow[]): Fault[] {
  const exact = exactDuplicates(rows).map((ids) => ({ ids, message: 'have the same text' }));
  const near = nearDuplicates(rows)
    .filter(({ twins, similarity }) => !twins && similarity < 1)
    .map(({ ids, similarity }) => ({ ids, message: `have ${percent(similarity)} % of their text in common` }));
  return [...exact, ...near].map((found) => ({ rule: 'duplicates', ...found }));
}

export interface BenchmarkText {
  /** Where it stands, such as `xstest 17`. */
  readonly place: string;
  readonly text: string;
}

/** Rows that are a benchmark's text, or nearly. Reads the benchmarks once, text by text. */
export async function benchmarkFaults(
  rows: readonly SeedRow[],
  benchmarks: AsyncIterable<BenchmarkText>,
): Promise<Fault[]> {
  const index = new NearDuplicateIndex(
    rows.map(({ text }) => text),
    NEAR_DUPLICATE,
  );
  const faults: Fault[] = [];
  for await (const { place, text } of benchmarks) {
    for (const match of index.find(text)) {
      const { id } = rows[match.text] as SeedRow;
      const message = `has ${percent(match.similarity)} % of its text in common with ${place}`;
      faults.push({ rule: 'benchmark', ids: [id], message });
    }
  }
  return faults;
}

function percent(share: number): string {
  return (100 * share).toFixed(0);
}
