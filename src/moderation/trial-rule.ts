/** What is known of a candidate that was given a share of the traffic. Sums since the trial began. */
export interface TrialFigures {
  /** Requests that the candidate was asked to judge. */
  readonly requests: number;
  /** Of those, where it failed and the serving checkpoint did not have to. */
  readonly errors: number;
  /** Items that both judged. */
  readonly compared: number;
  /** Of those, where they differ in a category. */
  readonly disagreed: number;
  /** Milliseconds of inference over the requests that both judged. */
  readonly candidateMs: number;
  readonly servingMs: number;
}

export interface TrialRule {
  /** Items that both must have judged before the candidate can be promoted. */
  readonly items: number;
  /** Shares, 0 to 1. */
  readonly maxDisagreement: number;
  readonly maxErrors: number;
  /** Inference of the candidate against the serving checkpoint: 1.5 is half as long again. */
  readonly maxSlowdown: number;
}

export type TrialDecision =
  | { readonly decision: 'continue' | 'promote' }
  | { readonly decision: 'roll_back'; readonly reason: string };

/**
 * A candidate is rolled back as soon as what it did wrong is too much even if nothing more goes wrong until `items`, and
 * otherwise judged once there.
 */
export function judgeTrial(figures: TrialFigures, rule: TrialRule): TrialDecision {
  const disagreement = figures.disagreed / Math.max(figures.compared, rule.items, 1);
  if (disagreement > rule.maxDisagreement) return rollBack('disagreement', disagreement, rule.maxDisagreement);
  const errors = figures.errors / Math.max(figures.requests, rule.items, 1);
  if (errors > rule.maxErrors) return rollBack('errors', errors, rule.maxErrors);
  if (figures.compared < rule.items) return { decision: 'continue' };

  const errorRate = figures.errors / Math.max(figures.requests, 1);
  if (errorRate > rule.maxErrors) return rollBack('errors', errorRate, rule.maxErrors);
  const slowdown = figures.candidateMs / figures.servingMs;
  if (slowdown > rule.maxSlowdown) return rollBack('slowdown', slowdown, rule.maxSlowdown);
  return { decision: 'promote' };
}

function rollBack(what: string, value: number, limit: number): TrialDecision {
  return { decision: 'roll_back', reason: `${what} ${value.toFixed(3)} is above ${limit}` };
}
