import { formTrainingBatches } from '../../guardrail/batches.ts';
import { warmupCosine } from '../../optimizers/schedule.ts';
import { derivedSeed, seededRandom } from '../../random.ts';
import type { OnProgress } from '../contract.ts';
import type { LikelihoodFigures, LikelihoodOptions, Sample } from '../skills.ts';
import { decisionsOf, FeatureList } from './encoded-space.ts';
import { RewriterError } from './errors.ts';
import type { Policy } from './policy.ts';
import { PolicyTrainer } from './policy-trainer.ts';
import { type CreateEditSpace, toTraces } from './traces.ts';

/** Share of the steps in which the learning rate rises, as in preference learning. */
const RISE = 0.1;

/** Supervised learning of candidates, by likelihood. Throws a `RewriterError` without any. */
export async function learnLikelihood(
  policy: Policy,
  createEditSpace: CreateEditSpace,
  samples: readonly Sample[],
  { learningRate, epochs, batchSamples, seed }: LikelihoodOptions,
  onProgress?: OnProgress,
): Promise<LikelihoodFigures> {
  if (samples.length === 0) throw new RewriterError('there are no candidates to learn from');
  const features = new FeatureList(policy.config.buckets);
  const traces = samples.flatMap(({ task, candidate }) => toTraces(createEditSpace, features, task, [candidate]));
  const trainer = new PolicyTrainer(policy);
  const total = epochs * traces.length;
  let done = 0;
  let sum = { loss: 0, decisions: 0 };
  for (let epoch = 0; epoch < epochs; epoch++) {
    sum = { loss: 0, decisions: 0 };
    const batches = formTrainingBatches(
      Int32Array.from(traces.keys()),
      (trace) => decisionsOf(traces[trace]!.space),
      { tokens: Number.POSITIVE_INFINITY, rows: batchSamples },
      seededRandom(derivedSeed(seed, `samples of epoch ${epoch}`)),
    );
    for (const batch of batches) {
      const { loss, decisions, rows } = await policy.likelihoodGradients(
        Array.from(batch, (trace) => traces[trace]!),
        features,
      );
      trainer.apply(rows, warmupCosine(done, { peak: learningRate, warmup: RISE * total, total, floor: 0.1 }));
      sum.loss += loss * decisions;
      sum.decisions += decisions;
      done += batch.length;
      onProgress?.(done, total);
    }
  }
  return { samples: samples.length, loss: sum.loss / Math.max(1, sum.decisions) };
}
