import { type Feeds, GraphSession, toTensor } from '../../graph/session.ts';
import { EmbeddingTable, type RowGradients } from '../../models/embedding-table.ts';
import { gradientName, ParameterSet } from '../../models/parameters.ts';
import { derivedSeed, seededRandom } from '../../random.ts';
import type { FeatureList } from './encoded-space.ts';
import { featureRows, MOST_ROWS } from './feature-rows.ts';
import { assembleBatch, type PolicyBatch, type Trace } from './policy-batch.ts';
import type { PolicyConfig } from './policy-config.ts';
import { likelihoodGraph, type PreferenceObjective, preferenceGraph, scoringGraph } from './policy-graph.ts';

/** Decisions that one run of the scoring graph takes: bounds its memory. */
const SCORED_AT_ONCE = 4096;
/** Standard deviation of an embedding's entries before anything is learned. */
const DEVIATION = 0.1;

export interface PreferenceStep {
  /** Trace 2p is the chosen side of pair p, trace 2p + 1 the rejected one. */
  readonly traces: readonly Trace[];
  /** log p of each trace under the reference. */
  readonly reference: Float64Array;
  readonly beta: number;
  readonly nllWeight: number;
  readonly objective?: PreferenceObjective | undefined;
}

export interface PreferenceStepResult {
  readonly loss: number;
  /** By pair. */
  readonly margin: Float32Array;
  /** By trace: log p under the policy before the step. */
  readonly logProbabilities: Float64Array;
  readonly rows: RowGradients;
}

/**
 * p(option | seed, language, options before), with its parameters, its embedding table and the graphs that score and
 * differentiate it. After a method that differentiates, the dense gradients are in `parameters.gradients` and those of
 * the table in the result; both are valid until the next call.
 */
export class Policy {
  readonly config: PolicyConfig;
  readonly parameters: ParameterSet;
  readonly table: EmbeddingTable;
  readonly #threads: number;
  readonly #scoring: GraphSession;
  readonly #preference = new Map<PreferenceObjective, GraphSession>();
  #likelihood: GraphSession | undefined;

  private constructor(config: PolicyConfig, parameters: ParameterSet, scoring: GraphSession, threads: number) {
    this.config = config;
    this.parameters = parameters;
    this.table = new EmbeddingTable(featureRows(config.buckets), config.embedding);
    this.#scoring = scoring;
    this.#threads = threads;
  }

  /** `seed` fixes the initial values. */
  static async create(config: PolicyConfig, seed: number, threads: number): Promise<Policy> {
    const graph = scoringGraph(config);
    const session = await GraphSession.create(graph.model, { threads });
    const policy = new Policy(config, new ParameterSet(graph.parameters, seed), session, threads);
    policy.table.initialise(seededRandom(derivedSeed(seed, 'embedding')), DEVIATION);
    return policy;
  }

  /** log p of each trace, in nats. */
  async logProbabilities(traces: readonly Trace[], features: FeatureList): Promise<Float64Array> {
    const result = new Float64Array(traces.length);
    let start = 0;
    while (start < traces.length) {
      let end = start;
      let slots = 0;
      do slots += traces[end++]!.space.slots;
      while (end < traces.length && slots + traces[end]!.space.slots <= SCORED_AT_ONCE);
      const batch = assembleBatch(traces.slice(start, end), features, this.table);
      if (batch.traceOf.length > 0) {
        const owner = ownership(batch, end - start, (trace) => trace);
        const outputs = await this.#scoring.evaluate({ ...this.parameters.feeds, ...batch.feeds, owner });
        result.set(outputs['log_probabilities']!.data as Float32Array, start);
      }
      start = end;
    }
    return result;
  }

  /** Loss, figures and gradients of DPO with a likelihood term over the given pairs, of equal weight. */
  async preferenceGradients(step: PreferenceStep, features: FeatureList): Promise<PreferenceStepResult> {
    const { traces, reference, beta, nllWeight, objective = 'rpo' } = step;
    const session = await this.#preferenceSession(objective);
    const pairs = traces.length / 2;
    const batch = assembleBatch(traces, features, this.table);
    const side = (odd: number): Float32Array => Float32Array.from({ length: pairs }, (_, p) => reference[2 * p + odd]!);
    const chosenDecisions = batch.traceOf.reduce((count, trace) => count + 1 - (trace % 2), 0);
    const loss = new Float32Array(1);
    const margin = new Float32Array(pairs);
    const [chosen, rejected] = [new Float32Array(pairs), new Float32Array(pairs)];
    const rows = await this.#differentiate(
      session,
      batch,
      {
        owner_chosen: ownership(batch, pairs, (trace) => (trace % 2 === 0 ? trace / 2 : undefined)),
        owner_rejected: ownership(batch, pairs, (trace) => (trace % 2 === 1 ? (trace - 1) / 2 : undefined)),
        reference_chosen: toTensor(side(0), [pairs]),
        reference_rejected: toTensor(side(1), [pairs]),
        weight: toTensor(new Float32Array(pairs).fill(1 / pairs), [pairs]),
        beta: toTensor(Float32Array.of(beta), []),
        nll_weight: toTensor(Float32Array.of(nllWeight), []),
        ...(objective === 'rpo' && {
          chosen_decisions: toTensor(Float32Array.of(Math.max(1, chosenDecisions)), []),
        }),
      },
      {
        loss: toTensor(loss, []),
        margin: toTensor(margin, [pairs]),
        policy_chosen: toTensor(chosen, [pairs]),
        policy_rejected: toTensor(rejected, [pairs]),
      },
    );
    const logProbabilities = Float64Array.from(traces, (_, t) => (t % 2 === 0 ? chosen : rejected)[t >> 1]!);
    return { loss: loss[0]!, margin, logProbabilities, rows };
  }

  /** Mean cross-entropy of the traces' decisions and its gradients. */
  async likelihoodGradients(
    traces: readonly Trace[],
    features: FeatureList,
  ): Promise<{ readonly loss: number; readonly decisions: number; readonly rows: RowGradients }> {
    this.#likelihood ??= await GraphSession.create(likelihoodGraph(this.config).model, { threads: this.#threads });
    const batch = assembleBatch(traces, features, this.table);
    const decisions = batch.traceOf.length;
    const loss = new Float32Array(1);
    const weight = toTensor(new Float32Array(decisions).fill(1 / decisions), [1, decisions]);
    const rows = await this.#differentiate(this.#likelihood, batch, { weight }, { loss: toTensor(loss, []) });
    return { loss: loss[0]!, decisions, rows };
  }

  async release(): Promise<void> {
    const sessions = [this.#scoring, ...this.#preference.values(), this.#likelihood];
    await Promise.all(sessions.map((session) => session?.release()));
  }

  async #preferenceSession(objective: PreferenceObjective): Promise<GraphSession> {
    const known = this.#preference.get(objective);
    if (known) return known;
    const { model } = preferenceGraph(this.config, objective);
    const session = await GraphSession.create(model, { threads: this.#threads });
    this.#preference.set(objective, session);
    return session;
  }

  async #differentiate(session: GraphSession, batch: PolicyBatch, feeds: Feeds, into: Feeds): Promise<RowGradients> {
    const dContext = new Float32Array(batch.context[0] * batch.context[1]);
    const dOptions = new Float32Array(batch.options.reduce((size, dim) => size * dim, 1));
    await session.run(
      { ...this.parameters.feeds, ...batch.feeds, ...feeds },
      {
        ...this.parameters.gradientOutputs,
        ...into,
        [gradientName('context')]: toTensor(dContext, batch.context),
        [gradientName('options')]: toTensor(dOptions, batch.options),
      },
    );
    return this.table.gradient([batch.gradient(dContext, dOptions)], MOST_ROWS);
  }
}

/** [count, N]: 1 where the row that `rowOf` names for a decision's trace owns the decision. */
function ownership(batch: PolicyBatch, count: number, rowOf: (trace: number) => number | undefined): Feeds[string] {
  const decisions = batch.traceOf.length;
  const owner = new Float32Array(count * decisions);
  for (const [n, trace] of batch.traceOf.entries()) {
    const row = rowOf(trace);
    if (row !== undefined) owner[row * decisions + n] = 1;
  }
  return toTensor(owner, [count, decisions]);
}
