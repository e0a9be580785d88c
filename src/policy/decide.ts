import { CATEGORIES, type Category, type PerCategory, perCategory } from '../taxonomy.ts';

export interface Policy {
  /** Probability from which a category flags. */
  readonly thresholds: PerCategory<number>;
  /** Only these may flag and count towards the overall score. */
  readonly enabled: ReadonlySet<Category>;
}

export interface Decision {
  readonly flagged: boolean;
  readonly action: 'allow' | 'block';
  /** Highest relative score of the enabled categories: at least 0.5 exactly when `flagged`. */
  readonly score: number;
  readonly categories: PerCategory<boolean>;
  readonly top_category: Category;
}

/** The checkpoint's thresholds overlaid by the request's, and the request's choice of categories (default: all). */
export function createPolicy(
  checkpointThresholds: PerCategory<number>,
  overrides: { thresholds?: Partial<PerCategory<number>>; categories?: readonly Category[] } = {},
): Policy {
  return {
    thresholds: perCategory((id) => overrides.thresholds?.[id] ?? checkpointThresholds[id]),
    enabled: new Set(overrides.categories ?? CATEGORIES),
  };
}

/** `probabilities`: 12 in label order. Without any enabled category nothing flags and the score is 0. */
export function decide(probabilities: ArrayLike<number>, policy: Policy): Decision {
  const relative = perCategory((id, index) => relativeScore(probabilities[index] as number, policy.thresholds[id]));
  const categories = perCategory(
    (id, index) => policy.enabled.has(id) && (probabilities[index] as number) >= policy.thresholds[id],
  );
  const candidates = policy.enabled.size > 0 ? CATEGORIES.filter((id) => policy.enabled.has(id)) : CATEGORIES;
  const top = candidates.reduce((best, id) => (relative[id] > relative[best] ? id : best));
  const flagged = categories[top];
  return {
    flagged,
    action: flagged ? 'block' : 'allow',
    score: policy.enabled.size > 0 ? relative[top] : 0,
    categories,
    top_category: top,
  };
}

/** The largest float64 below one half. */
const JUST_BELOW_HALF = 0.5 - 2 ** -54;

/**
 * sigmoid(logit(p) - logit(t)), in the form p(1-t) / (p(1-t) + t(1-p)) that has no infinities: how p stands to its
 * threshold, on a scale where 0.5 is the threshold whatever t is. Rounding may not cross that line, hence the clamps.
 */
export function relativeScore(p: number, t: number): number {
  const above = p * (1 - t);
  const below = t * (1 - p);
  const score = above + below === 0 ? 0.5 : above / (above + below);
  return p >= t ? Math.max(score, 0.5) : Math.min(score, JUST_BELOW_HALF);
}
