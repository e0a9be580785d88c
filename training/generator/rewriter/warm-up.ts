import { formTrainingBatches } from '../../guardrail/batches.ts';
import { warmupCosine } from '../../optimizers/schedule.ts';
import { derivedSeed, seededRandom, shuffle } from '../../random.ts';
import type { EditSpace } from './edit-space.ts';
import { decisionsOf, encodeSpace, FeatureList } from './encoded-space.ts';
import { RewriterError } from './errors.ts';
import type { Policy } from './policy.ts';
import type { Trace } from './policy-batch.ts';
import { PolicyTrainer } from './policy-trainer.ts';
import { supervise } from './supervision.ts';
import type { TranslationPair } from './translations.ts';

export interface WarmUpOptions {
  readonly learningRate: number;
  readonly epochs: number;
  /** Share of texts whose words are hidden, which makes the policy's unconditioned side for guidance. */
  readonly conditionDropout: number;
  readonly seed: number;
}

export const DEFAULT_WARM_UP: WarmUpOptions = { learningRate: 1.5e-3, epochs: 1, conditionDropout: 0.1, seed: 1 };

export interface WarmUpFigures {
  readonly pairs: number;
  /**
   * Mean cross-entropy of a decision, in nats, over the first and the last tenth of the steps, each taken before the step.
   * In the first epoch that is on pairs not seen before.
   */
  readonly first: number;
  readonly last: number;
}

/** `loss`: of the newest step. */
export type OnWarmUpProgress = (done: number, total: number, loss: number) => void;

/** Pairs whose edit spaces are held at a time. */
const PAIRS_AT_ONCE = 2_000;
const BATCH = { tokens: 1_200, rows: 128 };
/** Share of the steps in which the learning rate rises. */
const RISE = 0.05;

/** Supervised learning of what human translators chose, by likelihood. Throws `RewriterError` without pairs. */
export async function warmUp(
  policy: Policy,
  createEditSpace: (task: TranslationPair['task']) => EditSpace | undefined,
  pairs: readonly TranslationPair[],
  options: WarmUpOptions = DEFAULT_WARM_UP,
  onProgress?: OnWarmUpProgress,
): Promise<WarmUpFigures> {
  if (pairs.length === 0) throw new RewriterError('there are no translations to learn from');
  const trainer = new PolicyTrainer(policy);
  const total = pairs.length * options.epochs;
  const losses: number[] = [];
  let done = 0;
  for (let epoch = 0; epoch < options.epochs; epoch++) {
    const random = seededRandom(derivedSeed(options.seed, `warm-up ${epoch}`));
    const mixed = shuffle([...pairs], random);
    for (let start = 0; start < mixed.length; start += PAIRS_AT_ONCE) {
      const part = mixed.slice(start, start + PAIRS_AT_ONCE);
      const features = new FeatureList(policy.config.buckets);
      const traces = part.flatMap((pair) =>
        toTrace(createEditSpace, features, pair, random() < options.conditionDropout),
      );
      const began = done;
      let trained = 0;
      for (const batch of batchesOf(traces, random)) {
        const { loss, rows } = await policy.likelihoodGradients(
          Array.from(batch, (t) => traces[t]!),
          features,
        );
        const schedule = { peak: options.learningRate, warmup: RISE * total, total };
        trainer.apply(rows, warmupCosine(done, schedule));
        losses.push(loss);
        trained += batch.length;
        done = began + Math.floor((part.length * trained) / traces.length);
        onProgress?.(done, total, loss);
      }
      done = began + part.length;
    }
  }
  const tenth = Math.max(1, Math.floor(losses.length / 10));
  return { pairs: pairs.length, first: mean(losses.slice(0, tenth)), last: mean(losses.slice(-tenth)) };
}

/** None for a pair that can't be rewritten or whose translation tells nothing. */
function toTrace(
  createEditSpace: (task: TranslationPair['task']) => EditSpace | undefined,
  features: FeatureList,
  { task, target }: TranslationPair,
  masked: boolean,
): Trace[] {
  const space = createEditSpace(task);
  if (space === undefined) return [];
  const { choices, targets, told } = supervise(space, target);
  return told === 0 ? [] : [{ space: encodeSpace(space, features), choices, targets, masked }];
}

function batchesOf(traces: readonly Trace[], random: () => number): readonly Int32Array[] {
  return formTrainingBatches(
    Int32Array.from(traces.keys()),
    (trace) => decisionsOf(traces[trace]!.space),
    BATCH,
    random,
  );
}

function mean(values: readonly number[]): number {
  return values.reduce((a, b) => a + b, 0) / values.length;
}
