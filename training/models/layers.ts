import {
  add,
  gather,
  gelu,
  gemm,
  iota,
  layerNormalization,
  matmul,
  mul,
  reshape,
  softmax,
  transpose,
} from '../graph/ops.ts';
import type { Tensor } from '../graph/tensor.ts';
import type { Scope } from './scope.ts';

// Shapes: B texts, T tokens (padded), N = B·T, D width, H heads, F feed-forward width, C outputs.

/** [N, in] -> [N, out] */
export function linear(scope: Scope, x: Tensor, out: number, deviation?: number): Tensor {
  const width = x.shape[1] as number;
  const weight = scope.matrix('weight', [width, out], deviation ?? 1 / Math.sqrt(width));
  return gemm(x, weight, scope.vector('bias', out, 0));
}

/** Rows of a trained table: indices [...] -> [..., D]. Its gradient scatters, so it is for small tables only. */
function embedding(scope: Scope, indices: Tensor, rows: number, width: number): Tensor {
  return gather(scope.matrix('weight', [rows, width], 0.02), indices);
}

/** Adds a trained vector per position: [B, T, D] -> [B, T, D]. */
export function addPositions(scope: Scope, x: Tensor, maxTokens: number): Tensor {
  const [, tokens, width] = x.shape;
  return add(x, embedding(scope, iota(scope.graph, tokens as string), maxTokens, width as number));
}

/** Over the last dimension. */
export function layerNorm(scope: Scope, x: Tensor): Tensor {
  const width = x.shape.at(-1) as number;
  return layerNormalization(x, scope.vector('scale', width, 1), scope.vector('bias', width, 0));
}

export function dropout(scope: Scope, x: Tensor): Tensor {
  return scope.dropoutRate > 0 ? mul(x, scope.dropoutMask(x)) : x;
}

export interface AttentionShape {
  readonly heads: number;
  /** Standard deviation of the output projection, smaller in deep stacks. */
  readonly outDeviation: number;
}

/**
 * Multi-head self-attention (Vaswani et al., arXiv 1706.03762, eq. 1): x [N, D] -> [N, D].
 * `bias` [B, 1, 1, T] is 0 for tokens and very negative for padding.
 */
function attention(scope: Scope, x: Tensor, bias: Tensor, { heads, outDeviation }: AttentionShape): Tensor {
  const [batch, , , tokens] = bias.shape as readonly [string, number, number, string];
  const width = x.shape[1] as number;
  const size = width / heads;
  const split = (name: string): Tensor => reshape(linear(scope.at(name), x, width), [batch, tokens, heads, size]);
  const query = transpose(split('query'), [0, 2, 1, 3]);
  const key = transpose(split('key'), [0, 2, 3, 1]);
  const value = transpose(split('value'), [0, 2, 1, 3]);
  const weights = softmax(add(matmul(mul(query, 1 / Math.sqrt(size)), key), bias));
  const mixed = reshape(transpose(matmul(weights, value), [0, 2, 1, 3]), [x.shape[0] as string, width]);
  return linear(scope.at('out'), mixed, width, outDeviation);
}

/** [N, D] -> [N, F] -> [N, D] */
function feedForward(scope: Scope, x: Tensor, inner: number, outDeviation: number): Tensor {
  return linear(scope.at('out'), gelu(linear(scope.at('in'), x, inner)), x.shape[1] as number, outDeviation);
}

export interface BlockShape extends AttentionShape {
  readonly feedForward: number;
}

/** Pre-norm transformer block: [N, D] -> [N, D]. */
export function block(scope: Scope, x: Tensor, bias: Tensor, shape: BlockShape): Tensor {
  const mixed = attention(scope.at('attention'), layerNorm(scope.at('attention_norm'), x), bias, shape);
  const attended = add(x, dropout(scope, mixed));
  const inner = feedForward(
    scope.at('feed_forward'),
    layerNorm(scope.at('feed_forward_norm'), attended),
    shape.feedForward,
    shape.outDeviation,
  );
  return add(attended, dropout(scope, inner));
}

/**
 * Weighted mean over the tokens of each text with `heads` trained scoring vectors, each pooling its share of the width:
 * x [N, D], bias [B, 1, 1, T] -> [B, D].
 */
export function attentionPooling(scope: Scope, x: Tensor, bias: Tensor, heads: number): Tensor {
  const [batch, , , tokens] = bias.shape as readonly [string, number, number, string];
  const width = x.shape[1] as number;
  const scores = transpose(reshape(linear(scope.at('score'), x, heads), [batch, tokens, heads]), [0, 2, 1]);
  const weights = softmax(add(reshape(scores, [batch, heads, 1, tokens]), bias));
  const values = reshape(linear(scope.at('value'), x, width), [batch, tokens, heads, width / heads]);
  return reshape(matmul(weights, transpose(values, [0, 2, 1, 3])), [batch, width]);
}
