import { formTrainingBatches } from '../../guardrail/batches.ts';
import { warmupCosine } from '../../optimizers/schedule.ts';
import { derivedSeed, seededRandom } from '../../random.ts';
import type {
  Candidate,
  GenerationTask,
  OnProgress,
  PreferenceFigures,
  PreferenceOptions,
  PreferencePair,
  SamplingOptions,
} from '../contract.ts';
import type { SkilledGenerator } from '../skills.ts';
import { createEditSpace as spaceOfLexicons } from './create-edit-space.ts';
import { candidateOf } from './edit-space.ts';
import { decisionsOf, encodeSpace, FeatureList } from './encoded-space.ts';
import { RewriterError } from './errors.ts';
import { imitate } from './imitate.ts';
import { learnLikelihood } from './learn-likelihood.ts';
import { learnOnline } from './learn-online.ts';
import { misledSpaces } from './misled-spaces.ts';
import { Policy } from './policy.ts';
import type { Trace } from './policy-batch.ts';
import { DEFAULT_POLICY, type PolicyConfig } from './policy-config.ts';
import { restorePolicy, SHIPPED_POLICY, savePolicy } from './policy-file.ts';
import { PolicyTrainer } from './policy-trainer.ts';
import { PreferenceTotals } from './preference-totals.ts';
import { rollOut } from './roll-out.ts';
import { Sampler } from './sampler.ts';
import { type CreateEditSpace, toTraces } from './traces.ts';
import type { TranslationPair } from './translations.ts';
import { type OnWarmUpProgress, type WarmUpFigures, type WarmUpOptions, warmUp } from './warm-up.ts';
import { languagesFrom } from './word-sources.ts';

export interface RewriterOptions {
  /** All rewritings of a task; `undefined` when it can't be rewritten. Default: those of the shipped lexicons. */
  readonly createEditSpace?: CreateEditSpace;
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
export interface Rewriter extends SkilledGenerator {
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
    imitate: (tasks, candidates, texts) => imitate(policy, createEditSpace, tasks, candidates, texts),
    rollOut: async (tasks, prefixes, sampling) => rollOut(policy, createEditSpace, tasks, prefixes, sampling),
    learnLikelihood: (samples, learning) => learnLikelihood(policy, createEditSpace, samples, learning),
    learnOnline: (learning) => learnOnline(policy, createEditSpace, learning),
    save: (file) => savePolicy(file, policy),
    restore: (file) => restorePolicy(file, policy),
    release: () => policy.release(),
  };
}

function isRewritable({ seed, lang }: GenerationTask, languages: (from: string) => readonly string[]): boolean {
  return languages(seed.lang).includes(lang);
}

async function generate(
  policy: Policy,
  createEditSpace: CreateEditSpace,
  tasks: readonly GenerationTask[],
  { count, temperature, seed, guidance = 0, corrupted = false }: SamplingOptions,
  onProgress?: OnProgress,
): Promise<Candidate[][]> {
  if (!(temperature >= 0)) throw new RewriterError(`temperature is ${temperature}; it can't be negative`);
  if (!(guidance >= 0)) throw new RewriterError(`guidance is ${guidance}; it can't be negative`);
  const results: Candidate[][] = [];
  for (let start = 0; start < tasks.length; start += TASKS_AT_ONCE) {
    const features = new FeatureList(policy.config.buckets);
    const prepared = tasks.slice(start, start + TASKS_AT_ONCE).map((task) => {
      const space = createEditSpace(task);
      if (space === undefined) return undefined;
      const encoded = encodeSpace(space, features);
      const random = seededRandom(derivedSeed(seed, `corrupted ${task.seed.id} ${task.lang}`));
      return { space, encoded, views: corrupted ? misledSpaces(space, encoded, features, random) : [undefined] };
    });
    const sampler = new Sampler(policy, features);
    for (const item of prepared) {
      if (item === undefined) {
        results.push([]);
        continue;
      }
      const { space, encoded, views } = item;
      const { seed: text, lang } = space.task;
      // Its own stream, so that a task's candidates don't depend on the tasks before it.
      const random = seededRandom(derivedSeed(seed, `${text.id} ${lang}`));
      const draws = views.map((misled) => sampler.prepare(encoded, { temperature, guidance, misled }));
      results.push(
        Array.from({ length: count }, (_, i) => {
          const { choices, logProbability } = draws[i % draws.length]!(random);
          return candidateOf(space, choices, logProbability);
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
  const traces = pairs.map(({ task, chosen, rejected, slots }) =>
    toTraces(createEditSpace, features, task, [chosen, rejected], slots),
  );
  // Once, before the first step: the reference is the policy as it is now.
  const reference = await policy.logProbabilities(traces.flat(), features);
  const trainer = new PolicyTrainer(policy, options.optimizer);
  const total = options.epochs * pairs.length;
  let done = 0;
  let figures = new PreferenceTotals();
  for (let epoch = 0; epoch < options.epochs; epoch++) {
    figures = new PreferenceTotals();
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
          objective: options.objective,
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
