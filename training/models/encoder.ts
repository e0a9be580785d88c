import type { Graph } from '../graph/graph.ts';
import { add, cast, concat, div, gather, gelu, matmul, mul, reduceSum, reshape, sub } from '../graph/ops.ts';
import type { Tensor } from '../graph/tensor.ts';
import { addPositions, attentionPooling, block, dropout, layerNorm, linear } from './layers.ts';
import { type NgramHash, ngramBucketsGraph } from './ngram-hash.ts';
import type { Scope } from './scope.ts';

/**
 * Multilingual text classifier with a wide and a deep side over one table of token and hashed n-gram rows:
 *
 *   rows [B, T, E] ─┬─ mean over the text ── norm ───────────────────────────────┐
 *                   ├─ products of all pairs of rows, summed ── norm ────────────┤
 *                   └─ project to D, positions, transformer ── attention pooling ┴─ concat ─ hidden ─ logits [B, C]
 *
 * The wide side learns words and phrases from few passes, as fastText does; the pairs what words mean beside each other,
 * wherever in the text they stand; the deep side learns order and context. The table may be wide because it costs nothing
 * per layer; the layers are narrow because they are what a step costs.
 */
export interface EncoderConfig {
  readonly vocabSize: number;
  readonly ngrams: NgramHash;
  /** E */
  readonly embedding: number;
  /** D */
  readonly width: number;
  readonly layers: number;
  readonly heads: number;
  /** F */
  readonly feedForward: number;
  readonly maxTokens: number;
  readonly outputs: number;
}

const MASKED = -1e4;

/** Rows of the one embedding table: token ids first, n-gram buckets after them. */
export function embeddingRows({ vocabSize, ngrams }: Pick<EncoderConfig, 'vocabSize' | 'ngrams'>): number {
  return vocabSize + (ngrams.orders.length > 0 ? ngrams.buckets : 0);
}

/** Name of the embedding table among the parameters of a serving graph. */
export const EMBEDDING = 'embedding.weight';

/** embedded [B, T, E] (sum of token and n-gram rows), mask [B, T] int32 -> logits [B, C] */
export function encoderLogits(scope: Scope, embedded: Tensor, mask: Tensor, config: EncoderConfig): Tensor {
  const present = cast(mask, 'float32');
  const wide = layerNorm(scope.at('wide_norm'), meanOverText(embedded, present));
  const pairs = layerNorm(scope.at('pairs_norm'), pairProducts(embedded, present));
  const deep = deepSide(scope, embedded, present, config);
  const hidden = gelu(
    linear(scope.at('head_hidden'), dropout(scope, concat([wide, pairs, deep], 1)), config.embedding),
  );
  return linear(scope.at('head'), dropout(scope, hidden), config.outputs);
}

/** [B, T, E] and [B, T] -> [B, E], padding left out. */
function meanOverText(embedded: Tensor, present: Tensor): Tensor {
  const [batch, tokens, width] = embedded.shape as readonly [string, string, number];
  const share = div(present, reduceSum(present, [1], true));
  return reshape(matmul(reshape(share, [batch, 1, tokens]), embedded), [batch, width]);
}

/**
 * Bi-interaction pooling (Neural Factorization Machines, arXiv 1708.05027, eq. 4) without its factor of one half, which the
 * norm takes away: Σ_{s≠t} v_s ⊙ v_t = (Σ v_t)² - Σ v_t², linear in the length. [B, T, E] and [B, T] -> [B, E].
 */
function pairProducts(embedded: Tensor, present: Tensor): Tensor {
  const [batch, tokens, width] = embedded.shape as readonly [string, string, number];
  const rows = mul(embedded, reshape(present, [batch, tokens, 1]));
  const sum = reduceSum(rows, [1]);
  return reshape(sub(mul(sum, sum), reduceSum(mul(rows, rows), [1])), [batch, width]);
}

function deepSide(scope: Scope, embedded: Tensor, present: Tensor, config: EncoderConfig): Tensor {
  const [batch, tokens] = present.shape as readonly [string, string];
  // 0 for tokens, MASKED for padding.
  const bias = reshape(mul(sub(1, present), MASKED), [batch, 1, 1, tokens]);
  const shape = {
    heads: config.heads,
    feedForward: config.feedForward,
    outDeviation: 1 / Math.sqrt(2 * Math.max(1, config.layers) * config.width),
  };
  const projected = linear(scope.at('project'), reshape(embedded, ['N', config.embedding]), config.width);
  const placed = addPositions(
    scope.at('positions'),
    reshape(projected, [batch, tokens, config.width]),
    config.maxTokens,
  );
  let x = dropout(scope, layerNorm(scope.at('embedding_norm'), reshape(placed, ['N', config.width])));
  for (let i = 0; i < config.layers; i++) x = block(scope.at(`layer${i}`), x, bias, shape);
  return attentionPooling(scope.at('pooling'), layerNorm(scope.at('final_norm'), x), bias, config.heads);
}

export interface ServingInputs {
  /** input_ids [B, T] int32 */
  readonly ids: Tensor;
  /** attention_mask [B, T] int32 */
  readonly mask: Tensor;
}

export function servingInputs(graph: Graph): ServingInputs {
  return {
    ids: graph.input('input_ids', 'int32', ['B', 'T']),
    mask: graph.input('attention_mask', 'int32', ['B', 'T']),
  };
}

/** Serving graph: token ids and mask -> logits [B, C]; the embedding table is a parameter. */
export function servingLogits(scope: Scope, { ids, mask }: ServingInputs, config: EncoderConfig): Tensor {
  const table = scope.at('embedding').matrix('weight', [embeddingRows(config), config.embedding], 0);
  let embedded = gather(table, ids);
  for (const buckets of config.ngrams.orders.length > 0 ? ngramBucketsGraph(scope.graph, ids, config.ngrams) : []) {
    embedded = add(embedded, gather(table, add(buckets, config.vocabSize)));
  }
  return encoderLogits(scope, embedded, mask, config);
}
