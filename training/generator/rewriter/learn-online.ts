import type { PreferenceFigures, PreferencePair } from '../contract.ts';
import type { OnlineLearner, OnlineOptions } from '../skills.ts';
import { FeatureList } from './encoded-space.ts';
import { RewriterError } from './errors.ts';
import type { Policy } from './policy.ts';
import type { Trace } from './policy-batch.ts';
import { PolicyTrainer } from './policy-trainer.ts';
import { PreferenceTotals } from './preference-totals.ts';
import { type CreateEditSpace, toTraces } from './traces.ts';

/** DPO one batch at a time, at a constant learning rate, as nobody knows how many pairs there will be. */
export function learnOnline(
  policy: Policy,
  createEditSpace: CreateEditSpace,
  { beta, learningRate }: OnlineOptions,
): OnlineLearner {
  const reference = new FrozenValues(policy);
  const trainer = new PolicyTrainer(policy);
  const totals = new PreferenceTotals();
  return {
    async step(pairs: readonly PreferencePair[]): Promise<PreferenceFigures> {
      if (pairs.length === 0) throw new RewriterError('there are no pairs to learn from');
      const features = new FeatureList(policy.config.buckets);
      const traces = pairs.flatMap(({ task, chosen, rejected, slots }) =>
        toTraces(createEditSpace, features, task, [chosen, rejected], slots),
      );
      const before = await reference.logProbabilities(traces, features);
      const { loss, margin, logProbabilities, rows } = await policy.preferenceGradients(
        { traces, reference: before, beta, nllWeight: 0 },
        features,
      );
      trainer.apply(rows, learningRate);
      const own = new PreferenceTotals();
      for (const sums of [own, totals]) sums.add(loss, margin, logProbabilities, before);
      return own.mean();
    },
    figures: () => totals.mean(),
  };
}

/** A policy's values as they were, lent to it for as long as it scores. */
class FrozenValues {
  readonly #policy: Policy;
  readonly #frozen: readonly Float32Array[];

  constructor(policy: Policy) {
    this.#policy = policy;
    this.#frozen = this.#live().map((values) => values.slice());
  }

  async logProbabilities(traces: readonly Trace[], features: FeatureList): Promise<Float64Array> {
    const live = this.#live();
    const present = live.map((values) => values.slice());
    for (const [i, values] of live.entries()) values.set(this.#frozen[i]!);
    try {
      return await this.#policy.logProbabilities(traces, features);
    } finally {
      for (const [i, values] of live.entries()) values.set(present[i]!);
    }
  }

  #live(): readonly Float32Array[] {
    return [this.#policy.parameters.values, this.#policy.table.values];
  }
}
