import { CATEGORIES } from '../../src/taxonomy.ts';

/** Rows that were kept out of training, with what the served model says of them. */
export interface CalibrationRows {
  /** Probabilities [rows, C]. */
  readonly probabilities: Float32Array;
  readonly unsafe: Uint8Array;
  /** How much each row counts, so that large sources do not decide alone. */
  readonly weights: Float32Array;
}

/** Candidate thresholds: even steps of the logit from about 0.05 to 0.99. */
const GRID = Array.from({ length: 81 }, (_, i) => 1 / (1 + Math.exp(3 - i / 10)));

export interface CalibrationLimits {
  /** Least gain for which a category leaves the common threshold. */
  readonly minGain: number;
  /** Most of the safe rows, by weight, that may be flagged. */
  readonly maxFalsePositiveRate: number;
}

const DEFAULT_LIMITS: CalibrationLimits = { minGain: 5e-4, maxFalsePositiveRate: 1 };

/**
 * Thresholds that maximise the weighted F1 of "any category passes" within the limit on false positives: first the best
 * common one, then each category in turn, others fixed, for as long as something improves. A category moves only for a
 * gain above `minGain`, so that one with few rows stays at the common threshold. When no threshold keeps the limit, as
 * few false positives as the grid allows.
 */
export function calibrateThresholds(
  rows: CalibrationRows,
  { minGain, maxFalsePositiveRate }: CalibrationLimits = DEFAULT_LIMITS,
): readonly number[] {
  const count = CATEGORIES.length;
  const scoreOf = (thresholds: readonly number[]): number => {
    const { f1, falsePositiveRate } = flaggedRates(rows, thresholds);
    return falsePositiveRate <= maxFalsePositiveRate ? f1 : -falsePositiveRate;
  };
  const common = best((threshold) => scoreOf(new Array<number>(count).fill(threshold)));
  const thresholds = new Array<number>(count).fill(common.value);
  let score = common.score;
  for (let pass = 0, improved = true; improved && pass < 5; pass++) {
    improved = false;
    for (let c = 0; c < count; c++) {
      const candidate = best((threshold) => scoreOf(thresholds.with(c, threshold)));
      if (candidate.score <= score + minGain) continue;
      thresholds[c] = candidate.value;
      score = candidate.score;
      improved = true;
    }
  }
  return thresholds;
}

function best(score: (threshold: number) => number): { value: number; score: number } {
  return GRID.map((value) => ({ value, score: score(value) })).reduce((winner, candidate) =>
    candidate.score > winner.score ? candidate : winner,
  );
}

/** Weighted F1 of flagging a row when any category reaches its threshold. */
export function flaggedF1(rows: CalibrationRows, thresholds: readonly number[]): number {
  return flaggedRates(rows, thresholds).f1;
}

/** Weighted F1 and share of safe rows flagged. 0 where a class is empty. */
export function flaggedRates(
  { probabilities, unsafe, weights }: CalibrationRows,
  thresholds: readonly number[],
): { f1: number; falsePositiveRate: number } {
  const count = thresholds.length;
  let truePositives = 0;
  let falsePositives = 0;
  let positives = 0;
  let negatives = 0;
  for (let row = 0; row < unsafe.length; row++) {
    const weight = weights[row]!;
    let flagged = false;
    for (let c = 0; c < count && !flagged; c++) flagged = probabilities[row * count + c]! >= thresholds[c]!;
    if (unsafe[row]) positives += weight;
    else negatives += weight;
    if (flagged && unsafe[row]) truePositives += weight;
    else if (flagged) falsePositives += weight;
  }
  return {
    f1: positives === 0 ? 0 : (2 * truePositives) / (truePositives + falsePositives + positives),
    falsePositiveRate: negatives === 0 ? 0 : falsePositives / negatives,
  };
}
