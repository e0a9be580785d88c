import { formTrainingBatches } from '../../guardrail/batches.ts';
import { warmupCosine } from '../../optimizers/schedule.ts';
import { derivedSeed, seededRandom } from '../../random.ts';
import type {
  Candidate,
  GenerationTask,
  Generator,
  OnProgress,
  PreferenceFigures,
  PreferenceOptions,
  PreferencePair,
  SamplingOptions,
} from '../contract.ts';
import { createEditSpace as spaceOfLexicons } from './create-edit-space.ts';
import type { EditSpace } from './edit-space.ts';
import { checkChoices, decisionsOf, encodeSpace, FeatureList } from './encoded-space.ts';
import { RewriterError } from './errors.ts';
import { Policy } from './policy.ts';
import type { Trace } from './policy-batch.ts';
import { DEFAULT_POLICY, type PolicyConfig } from './policy-config.ts';
import { restorePolicy, SHIPPED_POLICY, savePolicy } from './policy-file.ts';
import { PolicyTrainer } from './policy-trainer.ts';
import { Sampler } from './sampler.ts';
import type { TranslationPair } from './translations.ts';
import { type OnWarmUpProgress, type WarmUpFigures, type WarmUpOptions, warmUp } from './warm-up.ts';
import { languagesFrom } from './word-sources.ts';

export interface RewriterOptions {
  /** All rewritings of a task; `undefined` when it can't be rewritten. Default: those of the shipped lexicons. */
  readonly createEditSpace?: (task: GenerationTask) => EditSpace | undefined;
  /** Languages that a seed in `from` can be rewritten in. Default: its own and those that a shipped lexicon leads to. */
  readonly languages?: (from: string) => readonly string[];
  /** A saved policy to begin with; `null` for an untrained one, which is the prior and the lexicon. Default: the shipped one. */
  readonly policy?: string | null;
  readonly config?: PolicyConfig;
  /** Fixes the initial values. */
  readonly seed?: number;
  readonly threads?: number;
}

/** The embedded generator, which also learns from translations by humans. */
export interface Rewriter extends Generator {
  warmUp(
    pairs: readonly TranslationPair[],
    options?: WarmUpOptions,
    onProgress?: OnWarmUpProgress,
  ): Promise<WarmUpFigures>;
}

/** Tasks whose edit spaces are held at a time. */
const TASKS_AT_ONCE = 64;
/** Share of the steps in which the learning rate rises, as in the paper's recipe. */
const WARMUP = 0.1;

/** The embedded generator. Throws `PolicyFileError` when `policy` can't be used. */
export async function createRewriter(options: RewriterOptions = {}): Promise<Rewriter> {
  const { config = DEFAULT_POLICY, languages = languagesFrom, policy: file = SHIPPED_POLICY } = options;
  const createEditSpace =
    options.createEditSpace ?? ((task) => (isRewritable(task, languages) ? spaceOfLexicons(task) : undefined));
  const policy = await Policy.create(config, options.seed ?? 0, options.threads ?? 2);
  if (file !== null) restorePolicy(file, policy);
  return {
    name: 'rewriter',
    languages,
    generate: (tasks, sampling, onProgress) => generate(policy, createEditSpace, tasks, sampling, onProgress),
    logProbabilities: (tasks, candidates) => logProbabilities(policy, createEditSpace, tasks, candidates),
    learn: (pairs, learning, onProgress) => learn(policy, createEditSpace, pairs, learning, onProgress),
    warmUp: (pairs, learning, onProgress) => warmUp(policy, createEditSpace, pairs, learning, onProgress),
    save: (file) => savePolicy(file, policy),
    restore: (file) => restorePolicy(file, policy),
    release: () => policy.release(),
  };
}

type CreateEditSpace = NonNullable<RewriterOptions['createEditSpace']>;

function isRewritable({ seed, lang }: GenerationTask, languages: (from: string) => readonly string[]): boolean {
  return languages(seed.lang).includes(lang);
}

async function generate(
  policy: Policy,
  createEditSpace: CreateEditSpace,
  tasks: readonly GenerationTask[],
  { count, temperature, seed, guidance = 0 }: SamplingOptions,
  onProgress?: OnProgress,
): Promise<Candidate[][]> {
  if (!(temperature >= 0)) throw new RewriterError(`temperature is ${temperature}; it can't be negative`);
  if (!(guidance >= 0)) throw new RewriterError(`guidance is ${guidance}; it can't be negative`);
  const results: Candidate[][] = [];
  for (let start = 0; start < tasks.length; start += TASKS_AT_ONCE) {
    const features = new FeatureList(policy.config.buckets);
    const prepared = tasks.slice(start, start + TASKS_AT_ONCE).map((task) => {
      const space = createEditSpace(task);
      return space && { space, encoded: encodeSpace(space, features) };
    });
    const sampler = new Sampler(policy, features);
    for (const item of prepared) {
      if (item === undefined) {
        results.push([]);
        continue;
      }
      const { space, encoded } = item;
      const { seed: text, lang } = space.task;
      // Its own stream, so that a task's candidates don't depend on the tasks before it.
      const random = seededRandom(derivedSeed(seed, `${text.id} ${lang}`));
      const draw = sampler.prepare(encoded, { temperature, guidance });
      results.push(
        Array.from({ length: count }, () => {
          const { choices, logProbability } = draw(random);
          return { seed: text.id, lang, text: space.render(choices), logProbability, choices };
        }),
      );
    }
    onProgress?.(results.length, tasks.length);
    // Lets timers and sockets of the process live.
    await new Promise((resolve) => setImmediate(resolve));
  }
  return results;
}

async function logProbabilities(
  policy: Policy,
  createEditSpace: CreateEditSpace,
  tasks: readonly GenerationTask[],
  candidates: readonly Candidate[],
): Promise<Float64Array> {
  if (tasks.length !== candidates.length) {
    throw new RewriterError(`${candidates.length} candidates of ${tasks.length} tasks; each needs its own`);
  }
  const features = new FeatureList(policy.config.buckets);
  const traces = tasks.flatMap((task, i) => toTraces(createEditSpace, features, task, [candidates[i] as Candidate]));
  return policy.logProbabilities(traces, features);
}

async function learn(
  policy: Policy,
  createEditSpace: CreateEditSpace,
  pairs: readonly PreferencePair[],
  options: PreferenceOptions,
  onProgress?: OnProgress,
): Promise<PreferenceFigures> {
  if (pairs.length === 0) throw new RewriterError('there are no pairs to learn from');
  const features = new FeatureList(policy.config.buckets);
  const traces = pairs.map(({ task, chosen, rejected }) =>
    toTraces(createEditSpace, features, task, [chosen, rejected]),
  );
  // Once, before the first step: the reference is the policy as it is now.
  const reference = await policy.logProbabilities(traces.flat(), features);
  const trainer = new PolicyTrainer(policy);
  const total = options.epochs * pairs.length;
  let done = 0;
  let figures = new Totals();
  for (let epoch = 0; epoch < options.epochs; epoch++) {
    figures = new Totals();
    for (const batch of batchesOf(traces, options, epoch)) {
      const sides = Float64Array.from(
        Array.from(batch).flatMap((pair) => [reference[2 * pair]!, reference[2 * pair + 1]!]),
      );
      const result = await policy.preferenceGradients(
        {
          traces: Array.from(batch).flatMap((pair) => traces[pair]!),
          reference: sides,
          beta: options.beta,
          nllWeight: options.nllWeight,
        },
        features,
      );
      trainer.apply(
        result.rows,
        warmupCosine(done, { peak: options.learningRate, warmup: WARMUP * total, total, floor: 0.1 }),
      );
      figures.add(result.loss, result.margin, result.logProbabilities, sides);
      done += batch.length;
      onProgress?.(done, total);
    }
  }
  return figures.mean();
}

/** Batches of candidates with like numbers of slots, in an order that depends on the seed and the epoch. */
function batchesOf(
  traces: readonly (readonly Trace[])[],
  { batchPairs, seed }: PreferenceOptions,
  epoch: number,
): readonly Int32Array[] {
  return formTrainingBatches(
    Int32Array.from(traces.keys()),
    (pair) => decisionsOf(traces[pair]![0]!.space),
    { tokens: Number.POSITIVE_INFINITY, rows: batchPairs },
    seededRandom(derivedSeed(seed, `pairs of epoch ${epoch}`)),
  );
}

/** One edit space for candidates of the same task. */
function toTraces(
  createEditSpace: CreateEditSpace,
  features: FeatureList,
  task: GenerationTask,
  candidates: readonly Candidate[],
): Trace[] {
  const space = createEditSpace(task);
  if (space === undefined) throw new RewriterError(`seed ${task.seed.id} can't be rewritten in ${task.lang}`);
  const encoded = encodeSpace(space, features);
  return candidates.map(({ choices }) => {
    checkChoices(encoded, choices, task.seed.id);
    return { space: encoded, choices };
  });
}

/** Sums over the pairs of an epoch. */
class Totals {
  #pairs = 0;
  #loss = 0;
  #won = 0;
  #margin = 0;
  #drift = 0;

  add(loss: number, margin: Float32Array, logs: Float64Array, reference: Float64Array): void {
    this.#pairs += margin.length;
    this.#loss += loss * margin.length;
    for (const value of margin) {
      this.#margin += value;
      if (value > 0) this.#won++;
    }
    for (const [t, log] of logs.entries()) this.#drift += (log - reference[t]!) / 2;
  }

  mean(): PreferenceFigures {
    const pairs = this.#pairs;
    return {
      pairs,
      loss: this.#loss / pairs,
      accuracy: this.#won / pairs,
      margin: this.#margin / pairs,
      drift: this.#drift / pairs,
    };
  }
}
