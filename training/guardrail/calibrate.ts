import { CATEGORIES } from '../../src/taxonomy.ts';

/** Rows that were kept out of training, with what the served model says of them. */
export interface CalibrationRows {
  /** Probabilities [rows, C]. */
  readonly probabilities: Float32Array;
  readonly unsafe: Uint8Array;
  /** How much each row counts, so that large sources do not decide alone. */
  readonly weights: Float32Array;
}

/** Candidate thresholds: even steps of the logit from about 0.05 to 0.95. */
const GRID = Array.from({ length: 61 }, (_, i) => 1 / (1 + Math.exp(3 - i / 10)));

/**
 * Thresholds that maximise the weighted F1 of "any category passes": first the best common one, then each category in
 * turn, others fixed, for as long as something improves. A category moves only for a gain above `minGain`, so that one
 * with few rows stays at the common threshold.
 */
export function calibrateThresholds(rows: CalibrationRows, minGain = 5e-4): readonly number[] {
  const count = CATEGORIES.length;
  const common = best(GRID, (threshold) => flaggedF1(rows, new Array<number>(count).fill(threshold)));
  const thresholds = new Array<number>(count).fill(common.value);
  let score = common.score;
  for (let pass = 0, improved = true; improved && pass < 5; pass++) {
    improved = false;
    for (let c = 0; c < count; c++) {
      const candidate = best(GRID, (threshold) => flaggedF1(rows, thresholds.with(c, threshold)));
      if (candidate.score <= score + minGain) continue;
      thresholds[c] = candidate.value;
      score = candidate.score;
      improved = true;
    }
  }
  return thresholds;
}

function best(values: readonly number[], score: (value: number) => number): { value: number; score: number } {
  return values
    .map((value) => ({ value, score: score(value) }))
    .reduce((winner, candidate) => (candidate.score > winner.score ? candidate : winner));
}

/** Weighted F1 of flagging a row when any category reaches its threshold. */
export function flaggedF1({ probabilities, unsafe, weights }: CalibrationRows, thresholds: readonly number[]): number {
  const count = thresholds.length;
  let truePositives = 0;
  let falsePositives = 0;
  let positives = 0;
  for (let row = 0; row < unsafe.length; row++) {
    const weight = weights[row]!;
    let flagged = false;
    for (let c = 0; c < count && !flagged; c++) flagged = probabilities[row * count + c]! >= thresholds[c]!;
    if (unsafe[row]) positives += weight;
    if (flagged && unsafe[row]) truePositives += weight;
    else if (flagged) falsePositives += weight;
  }
  return positives === 0 ? 0 : (2 * truePositives) / (truePositives + falsePositives + positives);
}
