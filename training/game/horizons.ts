import { CATEGORIES } from '../../src/taxonomy.ts';
import { groupOf } from '../evaluation/category-groups.ts';
import { type LabelSets, labelKl, type SetFigures, setFigures } from '../evaluation/label-sets.ts';
import type { GenerationTask } from '../generator/contract.ts';
import type { Probe } from './attack.ts';
import type { CategoryJudgement } from './contract.ts';
import { isFaithful } from './levels.ts';

/**
 * How a guardrail fares against a generator that learned for `horizon` more rounds, as forecasts of MIRAI (arXiv
 * 2407.01231) are measured by how far ahead they look. Safe is a label of its own at each level. `null` without texts.
 */
export interface HorizonFigures {
  readonly guardrail: number;
  readonly generator: number;
  /** generator - guardrail; 0 is the round that both end. */
  readonly horizon: number;
  /** Faithful rewritings, and those of them whose categories are known. */
  readonly texts: number;
  readonly categorised: number;
  readonly category: SetFigures | null;
  readonly group: SetFigures | null;
  readonly binary: SetFigures | null;
  /** KL(true || predicted) of the distributions over categories and safe, in nats. */
  readonly kl: number | null;
}

const SAFE = 'safe';

/** `judgements[i]` is the guardrail's of the generator's `probes[i]`. */
export function horizonFigures(
  tasks: readonly GenerationTask[],
  probes: readonly Probe[],
  judgements: readonly CategoryJudgement[],
  { guardrail, generator }: { readonly guardrail: number; readonly generator: number },
): HorizonFigures {
  const texts = probes.flatMap(({ task, rating }, index) => {
    const { unsafe, categories } = tasks[task]!.seed;
    if (!isFaithful(rating)) return [];
    return [{ unsafe, categories: unsafe ? categories : [], judgement: judgements[index]! }];
  });
  const categorised = texts.flatMap(({ unsafe, categories, judgement }): LabelSets[] => {
    if (categories === null || (unsafe && categories.length === 0)) return [];
    return [{ truth: orSafe(categories), predicted: orSafe(judgement.categories) }];
  });
  const binary = texts.map(({ unsafe, judgement }) => ({
    truth: [unsafe ? 'unsafe' : SAFE],
    predicted: [judgement.flagged ? 'unsafe' : SAFE],
  }));
  return {
    guardrail,
    generator,
    horizon: generator - guardrail,
    texts: texts.length,
    categorised: categorised.length,
    category: setFigures(categorised),
    group: setFigures(
      categorised.map(({ truth, predicted }) => ({ truth: grouped(truth), predicted: grouped(predicted) })),
    ),
    binary: setFigures(binary),
    kl: labelKl(categorised, [...CATEGORIES, SAFE]),
  };
}

function orSafe(categories: readonly string[]): readonly string[] {
  return categories.length === 0 ? [SAFE] : categories;
}

function grouped(labels: readonly string[]): readonly string[] {
  const isCategory = (label: string): label is (typeof CATEGORIES)[number] => label !== SAFE;
  return [...new Set(labels.map((label) => (isCategory(label) ? groupOf(label) : SAFE)))];
}
