/** Predicted against true sets of labels, in the manner of MIRAI (arXiv 2407.01231). */

export interface LabelSets {
  /** At least one label each, without repetition. */
  readonly truth: readonly string[];
  readonly predicted: readonly string[];
}

export interface SetFigures {
  readonly precision: number;
  readonly recall: number;
  readonly f1: number;
}

/**
 * Means over texts of |P ∩ T| / |P|, |P ∩ T| / |T| and their harmonic mean, P the predicted and T the true set. `null`
 * without texts.
 */
export function setFigures(texts: readonly LabelSets[]): SetFigures | null {
  if (texts.length === 0) return null;
  const sums = { precision: 0, recall: 0, f1: 0 };
  for (const { truth, predicted } of texts) {
    const common = predicted.filter((label) => truth.includes(label)).length;
    sums.precision += common / predicted.length;
    sums.recall += common / truth.length;
    sums.f1 += (2 * common) / (predicted.length + truth.length);
  }
  const mean = (sum: number) => sum / texts.length;
  return { precision: mean(sums.precision), recall: mean(sums.recall), f1: mean(sums.f1) };
}

/** Texts that each label gets on top of those predicted, so that one that was never predicted leaves the KL finite. */
const SMOOTHING = 0.5;

/**
 * KL(true || predicted) in nats between the distributions of labels over texts; a text with several gives each an equal
 * part. `labels` are all that there can be. `null` without texts.
 */
export function labelKl(texts: readonly LabelSets[], labels: readonly string[]): number | null {
  if (texts.length === 0) return null;
  const truth = mass(texts.map((text) => text.truth));
  const predicted = mass(texts.map((text) => text.predicted));
  return labels.reduce((sum, label) => {
    const p = (truth.get(label) ?? 0) / texts.length;
    const q = ((predicted.get(label) ?? 0) + SMOOTHING) / (texts.length + SMOOTHING * labels.length);
    return p === 0 ? sum : sum + p * Math.log(p / q);
  }, 0);
}

function mass(sets: readonly (readonly string[])[]): ReadonlyMap<string, number> {
  const totals = new Map<string, number>();
  for (const set of sets) for (const label of set) totals.set(label, (totals.get(label) ?? 0) + 1 / set.length);
  return totals;
}
