import type { Graph } from '../graph/graph.ts';
import { add, cast, gather, gelu, mul, reshape, sub } from '../graph/ops.ts';
import type { Tensor } from '../graph/tensor.ts';
import { addPositions, attentionPooling, block, dropout, layerNorm, linear } from './layers.ts';
import { type NgramHash, ngramBucketsGraph } from './ngram-hash.ts';
import type { Scope } from './scope.ts';

/** Multilingual text encoder with a classification head: hashed token n-grams, pre-norm transformer, attention pooling. */
export interface EncoderConfig {
  readonly vocabSize: number;
  readonly ngrams: NgramHash;
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
export function embeddingRows({ vocabSize, ngrams }: EncoderConfig): number {
  return vocabSize + (ngrams.orders.length > 0 ? ngrams.buckets : 0);
}

/** Name of the embedding table among the parameters of a serving graph. */
export const EMBEDDING = 'embedding.weight';

/** embedded [B, T, D] (sum of token and n-gram rows), mask [B, T] int32 -> logits [B, C] */
export function encoderLogits(scope: Scope, embedded: Tensor, mask: Tensor, config: EncoderConfig): Tensor {
  const [batch, tokens] = mask.shape as readonly [string, string];
  // Padding: 0 -> MASKED, 1 -> 0.
  const bias = reshape(mul(sub(1, cast(mask, 'float32')), MASKED), [batch, 1, 1, tokens]);
  const shape = {
    heads: config.heads,
    feedForward: config.feedForward,
    outDeviation: 1 / Math.sqrt(2 * Math.max(1, config.layers) * config.width),
  };
  const positioned = addPositions(scope.at('positions'), embedded, config.maxTokens);
  let x = reshape(dropout(scope, layerNorm(scope.at('embedding_norm'), positioned)), ['N', config.width]);
  for (let i = 0; i < config.layers; i++) x = block(scope.at(`layer${i}`), x, bias, shape);
  const pooled = attentionPooling(scope.at('pooling'), layerNorm(scope.at('final_norm'), x), bias, config.heads);
  const hidden = gelu(linear(scope.at('head_hidden'), pooled, config.width));
  return linear(scope.at('head'), dropout(scope, hidden), config.outputs);
}

/** Serving graph: input_ids and attention_mask [B, T] int32 -> logits [B, C]; the embedding table is a parameter. */
export function servingLogits(graph: Graph, scope: Scope, config: EncoderConfig): Tensor {
  const ids = graph.input('input_ids', 'int32', ['B', 'T']);
  const mask = graph.input('attention_mask', 'int32', ['B', 'T']);
  const table = graph.parameter(EMBEDDING, [embeddingRows(config), config.width], () => {}, true);
  let embedded = gather(table, ids);
  for (const buckets of config.ngrams.orders.length > 0 ? ngramBucketsGraph(graph, ids, config.ngrams) : []) {
    embedded = add(embedded, gather(table, add(buckets, config.vocabSize)));
  }
  return encoderLogits(scope, embedded, mask, config);
}
