import { gradients } from '../../graph/autodiff.ts';
import { Graph, type Parameter } from '../../graph/graph.ts';
import { toOnnx } from '../../graph/lower.ts';
import type { OnnxModel } from '../../graph/onnx.ts';
import { add, gelu, gemm, logSoftmax, matmul, mul, reduceSum, reshape, sub } from '../../graph/ops.ts';
import type { Tensor } from '../../graph/tensor.ts';
import { linear } from '../../models/layers.ts';
import { gradientName } from '../../models/parameters.ts';
import { Scope } from '../../models/scope.ts';
import { preferenceMargin, regularizedDpoLoss, rpoLoss } from '../../objectives/dpo.ts';
import type { PreferenceOptions } from '../contract.ts';
import { COUNTS } from './history.ts';
import type { PolicyConfig } from './policy-config.ts';

// Shapes: C candidates, P pairs, N decisions of all candidates one after another, O options of the longest slot (padded),
// E embedding, H hidden. Embeddings are looked up and their gradients added up outside the graph.

/** Vectors that describe a decision: word, before, after, seed, condition, last, last but one, whole text. */
export const CONTEXT_PARTS = 8;
/** Logit of padding. */
export const ABSENT = -1e4;

export const PARAMETERS = {
  context: 'context.weight',
  bias: 'context.bias',
  counts: 'counts.weight',
  query: 'query.weight',
  queryBias: 'query.bias',
  share: 'share.weight',
} as const;

interface Decisions {
  /** log p of every option of every decision: [N, O] */
  readonly logs: Tensor;
  /** [N, O], weight of each option in a decision's log-likelihood: 1 for the one that was chosen. */
  readonly chosen: Tensor;
}

/**
 * h = gelu(W_context context + W_counts counts + b), q = W_query h + b_query
 * logit(o) = q · [text(o); edit(o)] + w log share(o) + prior(o)
 *
 * W_query and b_query start at 0 and w at 1, so that an untrained policy is the prior and the lexicon.
 */
function decisions(graph: Graph, { embedding, hidden }: PolicyConfig): Decisions {
  const scope = new Scope(graph);
  const context = graph.input('context', 'float32', ['N', CONTEXT_PARTS * embedding]);
  const counts = graph.input('counts', 'float32', ['N', COUNTS]);
  const options = graph.input('options', 'float32', ['N', 'O', 2 * embedding]);
  const logShare = graph.input('log_share', 'float32', ['N', 'O']);
  const prior = graph.input('prior', 'float32', ['N', 'O']);
  const countWeights = scope.at('counts').matrix('weight', [COUNTS, hidden], 1 / Math.sqrt(COUNTS));
  const h = gelu(add(linear(scope.at('context'), context, hidden), gemm(counts, countWeights)));
  const query = reshape(linear(scope.at('query'), h, 2 * embedding, 0), ['N', 2 * embedding, 1]);
  const fit = reshape(matmul(options, query), ['N', 'O']);
  const lexicon = mul(logShare, scope.at('share').vector('weight', 1, 1));
  return {
    logs: logSoftmax(add(add(fit, lexicon), prior)),
    chosen: graph.input('chosen', 'float32', ['N', 'O']),
  };
}

/** Σ over a candidate's decisions of log p: `owner` [C, N] is 1 where the decision is the candidate's -> [C] */
function logProbabilities(graph: Graph, { logs, chosen }: Decisions, owner: string, candidates: string): Tensor {
  const owners = graph.input(owner, 'float32', [candidates, 'N']);
  const picked = reduceSum(mul(logs, chosen), [1], true);
  return reshape(matmul(owners, picked), [candidates]);
}

export interface PolicyGraph {
  /** Inputs: those of `decisions`, `chosen` and the objective's, parameters. Outputs: the objective's and d:*. */
  readonly model: OnnxModel;
  readonly parameters: readonly Parameter[];
}

/** Output: `log_probabilities` [C], given `owner`. */
export function scoringGraph(config: PolicyConfig): PolicyGraph {
  const graph = new Graph();
  const log_probabilities = logProbabilities(graph, decisions(graph, config), 'owner', 'C');
  return { model: toOnnx(graph, { outputs: { log_probabilities } }), parameters: graph.parameters };
}

export type PreferenceObjective = NonNullable<PreferenceOptions['objective']>;

/** Outputs: `loss` and `margin`, `policy_chosen`, `policy_rejected` [P], given both owners and the reference's logs. */
export function preferenceGraph(config: PolicyConfig, objective: PreferenceObjective): PolicyGraph {
  const graph = new Graph();
  const made = decisions(graph, config);
  const logs = {
    chosen: logProbabilities(graph, made, 'owner_chosen', 'P'),
    rejected: logProbabilities(graph, made, 'owner_rejected', 'P'),
    referenceChosen: graph.input('reference_chosen', 'float32', ['P']),
    referenceRejected: graph.input('reference_rejected', 'float32', ['P']),
    weight: graph.input('weight', 'float32', ['P']),
  };
  const beta = graph.input('beta', 'float32', []);
  const nllWeight = graph.input('nll_weight', 'float32', []);
  const loss =
    objective === 'stic'
      ? regularizedDpoLoss(logs, beta, nllWeight)
      : rpoLoss(logs, beta, nllWeight, graph.input('chosen_decisions', 'float32', []));
  const outputs = {
    loss,
    margin: preferenceMargin(logs, beta),
    policy_chosen: logs.chosen,
    policy_rejected: logs.rejected,
  };
  return differentiated(graph, loss, outputs);
}

/** Outputs: `loss`, the weighted cross-entropy -Σ weight[n] Σ chosen log p; `weight` [1, N]. */
export function likelihoodGraph(config: PolicyConfig): PolicyGraph {
  const graph = new Graph();
  const made = decisions(graph, config);
  const weighted = matmul(
    graph.input('weight', 'float32', [1, 'N']),
    reduceSum(mul(made.logs, made.chosen), [1], true),
  );
  const loss = sub(0, reshape(weighted, []));
  return differentiated(graph, loss, { loss });
}

function differentiated(graph: Graph, loss: Tensor, outputs: Readonly<Record<string, Tensor>>): PolicyGraph {
  const looked = graph.inputs.filter(({ name }) => name === 'context' || name === 'options');
  const wrt = [...looked, ...graph.parameters.map(({ tensor }) => tensor)];
  const derived = gradients(graph, loss, wrt).map((tensor, i) => [gradientName(wrt[i]!.name), tensor]);
  const model = toOnnx(graph, { outputs: { ...outputs, ...Object.fromEntries(derived) } });
  return { model, parameters: graph.parameters };
}
