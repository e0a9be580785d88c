import { CATEGORIES, type Category, type PerCategory, perCategory } from '../taxonomy.ts';
import { isMet } from './languages.ts';
import { type CategoryAction, DEFAULT_RULES, type PolicyRules, type SeverityBands } from './rules.ts';

export interface Policy {
  /** Probability from which a category flags. */
  readonly thresholds: PerCategory<number>;
  /** Only these may flag and count towards the overall score. */
  readonly enabled: ReadonlySet<Category>;
  /** What a category that flags asks for; `ignore` only of those that are not enabled. */
  readonly actions: PerCategory<CategoryAction>;
  readonly severity?: SeverityBands | undefined;
}

/** To the application's model, or from it. */
export type Direction = 'input' | 'output';

export type Severity = 'none' | keyof SeverityBands;

export interface Decision {
  readonly flagged: boolean;
  /** The strongest that a category which flags asks for. */
  readonly action: 'allow' | 'flag' | 'block';
  /** Highest relative score of the enabled categories: at least 0.5 exactly when `flagged`. */
  readonly score: number;
  readonly categories: PerCategory<boolean>;
  readonly top_category: Category;
  /** When the policy has bands. */
  readonly severity?: Severity;
}

/**
 * The request's thresholds and choice of categories (default: all) over the rules, and those over the checkpoint's
 * thresholds. A category that the rules ignore, or keep for the other direction or other languages, is not enabled.
 *
 * @param language of the text, as the rules name it; undefined when it cannot be told, or no rule asks for it.
 */
export function createPolicy(
  checkpointThresholds: PerCategory<number>,
  overrides: { thresholds?: Partial<PerCategory<number>>; categories?: readonly Category[] } = {},
  rules: PolicyRules = DEFAULT_RULES,
  direction: Direction = 'input',
  language?: string,
): Policy {
  const exception = (id: Category) =>
    language === undefined ? undefined : rules.categories[id]?.by_language?.[language];
  const actions = perCategory((id) => {
    const rule = rules.categories[id];
    const inDirection = rule === undefined || rule.direction === 'both' || rule.direction === direction;
    const applies = inDirection && isMet(rule?.languages, language);
    return applies ? (exception(id)?.action ?? rule?.action ?? rules.default_action) : 'ignore';
  });
  return {
    thresholds: perCategory(
      (id) =>
        overrides.thresholds?.[id] ??
        exception(id)?.threshold ??
        rules.categories[id]?.threshold ??
        checkpointThresholds[id],
    ),
    enabled: new Set((overrides.categories ?? CATEGORIES).filter((id) => actions[id] !== 'ignore')),
    actions,
    severity: rules.severity,
  };
}

/** `probabilities`: 12 in label order. Without any enabled category nothing flags and the score is 0. */
export function decide(probabilities: ArrayLike<number>, policy: Policy): Decision {
  const { thresholds, enabled, actions, severity } = policy;
  let top: Category = CATEGORIES[0];
  let highest = -1;
  let strongest: Decision['action'] = 'allow';
  const categories = perCategory((id, index) => {
    const probability = probabilities[index] as number;
    if (enabled.size > 0 && !enabled.has(id)) return false;
    const relative = relativeScore(probability, thresholds[id]);
    if (relative > highest) {
      top = id;
      highest = relative;
    }
    const fires = enabled.size > 0 && probability >= thresholds[id];
    if (fires && strongest !== 'block') strongest = actions[id] === 'block' ? 'block' : 'flag';
    return fires;
  });
  const flagged = categories[top];
  const score = enabled.size > 0 ? highest : 0;
  return {
    flagged,
    action: flagged ? strongest : 'allow',
    score,
    categories,
    top_category: top,
    ...(severity === undefined ? undefined : { severity: severityOf(score, severity) }),
  };
}

export function severityOf(score: number, { low, medium, high }: SeverityBands): Severity {
  if (score >= high) return 'high';
  if (score >= medium) return 'medium';
  return score >= low ? 'low' : 'none';
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
