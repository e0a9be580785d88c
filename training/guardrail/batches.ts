import { shuffle } from '../random.ts';

export interface BatchLimits {
  /** Padded tokens: rows times the longest row. */
  readonly tokens: number;
  readonly rows: number;
}

/** Lengths are padded up to a multiple of this, so that fewer different shapes occur. */
const LENGTH_STEP = 8;

export function paddedLength(longest: number): number {
  return Math.ceil(longest / LENGTH_STEP) * LENGTH_STEP;
}

/**
 * Length-bucketed batches in random order: rows of like length stand together, so that little is padding. Rows of equal
 * padded length are mixed anew at each call. Every row is in exactly one batch.
 */
export function formTrainingBatches(
  rows: Int32Array,
  lengthOf: (row: number) => number,
  limits: BatchLimits,
  random: () => number,
): readonly Int32Array[] {
  const mixed = shuffle(Int32Array.from(rows), random);
  const sorted = mixed.sort((a, b) => paddedLength(lengthOf(a)) - paddedLength(lengthOf(b)));
  const batches: Int32Array[] = [];
  let start = 0;
  for (let i = 0; i < sorted.length; i++) {
    // Sorted, so the newest row is the longest of its batch.
    const size = i - start + 1;
    const tokens = size * paddedLength(lengthOf(sorted[i] as number));
    if (size > 1 && (tokens > limits.tokens || size > limits.rows)) {
      batches.push(sorted.slice(start, i));
      start = i;
    }
  }
  if (start < sorted.length) batches.push(sorted.slice(start));
  return shuffle(batches, random);
}
