/**
 * Binary classification metrics. `labels[i]` says whether row i is unsafe (positive), `scores[i]` in [0, 1] how sure
 * the classifier is of that, `flags[i]` what it decided. A metric that its rows cannot define is null, never 0.
 */

/** Of the calibration error. */
const BINS = 15;

export interface Confusion {
  readonly truePositives: number;
  readonly falsePositives: number;
  readonly falseNegatives: number;
  readonly trueNegatives: number;
}

export function confusion(labels: readonly boolean[], flags: readonly boolean[]): Confusion {
  checkLengths(labels, flags);
  const counts = { truePositives: 0, falsePositives: 0, falseNegatives: 0, trueNegatives: 0 };
  for (const [row, unsafe] of labels.entries()) {
    if (flags[row]) counts[unsafe ? 'truePositives' : 'falsePositives'] += 1;
    else counts[unsafe ? 'falseNegatives' : 'trueNegatives'] += 1;
  }
  return counts;
}

/** Share of the flagged rows that are unsafe. Null when nothing was flagged. */
export function precision({ truePositives, falsePositives }: Confusion): number | null {
  return ratio(truePositives, truePositives + falsePositives);
}

/** Share of the unsafe rows that were flagged. Null without unsafe rows. */
export function recall({ truePositives, falseNegatives }: Confusion): number | null {
  return ratio(truePositives, truePositives + falseNegatives);
}

/** Share of the safe rows that were flagged. Null without safe rows. */
export function falsePositiveRate({ falsePositives, trueNegatives }: Confusion): number | null {
  return ratio(falsePositives, falsePositives + trueNegatives);
}

/** Harmonic mean of precision and recall. Null without unsafe rows; 0 when none of them was flagged. */
export function f1({ truePositives, falsePositives, falseNegatives }: Confusion): number | null {
  if (truePositives + falseNegatives === 0) return null;
  return ratio(2 * truePositives, 2 * truePositives + falsePositives + falseNegatives);
}

/** F1 of a classifier that flags every row: the floor that any F1 has to be read against. */
export function alwaysUnsafeF1(labels: readonly boolean[]): number | null {
  return f1(
    confusion(
      labels,
      labels.map(() => true),
    ),
  );
}

/**
 * Area under the precision-recall curve as average precision: sum over thresholds of (R_k - R_{k-1}) P_k, without
 * interpolation. Rows with one score pass together, so their order does not matter. Null unless both classes are there.
 */
export function averagePrecision(labels: readonly boolean[], scores: readonly number[]): number | null {
  const positives = countBoth(labels, scores);
  if (positives === null) return null;
  let area = 0;
  let seen = 0;
  let seenPositives = 0;
  for (const group of groupsByScore(labels, scores)) {
    seen += group.size;
    seenPositives += group.positives;
    area += (group.positives / positives) * (seenPositives / seen);
  }
  return area;
}

/**
 * Area under the ROC curve: how often an unsafe row scores higher than a safe one, a tie counting one half
 * (Mann and Whitney). Null unless both classes are there.
 */
export function auroc(labels: readonly boolean[], scores: readonly number[]): number | null {
  const positives = countBoth(labels, scores);
  if (positives === null) return null;
  const negatives = labels.length - positives;
  let won = 0;
  let negativesAbove = 0;
  for (const group of groupsByScore(labels, scores)) {
    const tied = group.size - group.positives;
    won += group.positives * (negatives - negativesAbove - tied / 2);
    negativesAbove += tied;
  }
  return won / (positives * negatives);
}

/**
 * Expected calibration error (Guo et al., arXiv 1706.04599, equation 5) of the score as probability of being unsafe,
 * over 15 equal-width bins: the mean distance of a bin's mean score to its share of unsafe rows, both weighted. Null
 * without rows.
 */
export function expectedCalibrationError(
  labels: readonly boolean[],
  scores: readonly number[],
  weights: ArrayLike<number> = scores.map(() => 1),
): number | null {
  checkScores(labels, scores);
  const excess = new Float64Array(BINS);
  let whole = 0;
  for (const [row, score] of scores.entries()) {
    const bin = Math.min(BINS - 1, Math.floor(score * BINS));
    const weight = weights[row] as number;
    excess[bin] = (excess[bin] as number) + weight * (score - (labels[row] ? 1 : 0));
    whole += weight;
  }
  return ratio(
    excess.reduce((sum, value) => sum + Math.abs(value), 0),
    whole,
  );
}

function ratio(part: number, whole: number): number | null {
  return whole === 0 ? null : part / whole;
}

interface ScoreGroup {
  readonly size: number;
  readonly positives: number;
}

/** Rows of equal score together, highest score first. */
function* groupsByScore(labels: readonly boolean[], scores: readonly number[]): Generator<ScoreGroup> {
  const order = Uint32Array.from(scores, (_, row) => row).sort((a, b) => (scores[b] as number) - (scores[a] as number));
  for (let start = 0; start < order.length; ) {
    const score = scores[order[start] as number];
    let end = start;
    let positives = 0;
    for (; end < order.length && scores[order[end] as number] === score; end += 1) {
      if (labels[order[end] as number]) positives += 1;
    }
    yield { size: end - start, positives };
    start = end;
  }
}

/** The number of positives, or null when one class is missing. */
function countBoth(labels: readonly boolean[], scores: readonly number[]): number | null {
  checkScores(labels, scores);
  const positives = labels.filter(Boolean).length;
  return positives === 0 || positives === labels.length ? null : positives;
}

function checkScores(labels: readonly boolean[], scores: readonly number[]): void {
  checkLengths(labels, scores);
  const wrong = scores.findIndex((score) => !(score >= 0 && score <= 1));
  if (wrong >= 0) throw new RangeError(`score ${wrong} is ${scores[wrong]}, not a probability`);
}

function checkLengths(labels: readonly boolean[], others: readonly unknown[]): void {
  if (labels.length !== others.length) throw new RangeError(`${labels.length} labels but ${others.length} predictions`);
}
