import type { Graph } from '../graph/graph.ts';
import { add, cast, gather, greater, iota, mod, mul, reshape, sub, transpose, where } from '../graph/ops.ts';
import type { Tensor } from '../graph/tensor.ts';

/**
 * Hashed n-grams of token ids, the bag-of-features side of the model (in the manner of fastText, arXiv 1607.01759, and
 * of the hash n-gram embeddings of BLT, arXiv 2412.09871). The bucket of the n tokens that end at position t is
 *
 *     h₁ = id[t],  hⱼ₊₁ = (hⱼ · MULTIPLIER + id[t - j] + 1) mod buckets,  id = 0 before the text
 *
 * It is computed twice, here for training batches and inside the model for serving; a test holds them together.
 */
export interface NgramHash {
  /** Lengths, at least 2. */
  readonly orders: readonly number[];
  readonly buckets: number;
}

const MULTIPLIER = 36_313;

/** Buckets of every order at every position: ids [T] into `out` [T, orders] starting at `offset` rows. */
export function ngramBuckets(ids: ArrayLike<number>, { orders, buckets }: NgramHash): Int32Array {
  const out = new Int32Array(ids.length * orders.length);
  const longest = Math.max(...orders, 1);
  for (let t = 0; t < ids.length; t++) {
    let hash = ids[t] as number;
    for (let n = 2; n <= longest; n++) {
      const id = t - n + 1 >= 0 ? (ids[t - n + 1] as number) : 0;
      hash = (hash * MULTIPLIER + id + 1) % buckets;
      const column = orders.indexOf(n);
      if (column >= 0) out[t * orders.length + column] = hash;
    }
  }
  return out;
}

/** The same in the graph: ids [B, T] int32 -> one int64 [B, T] per order. */
export function ngramBucketsGraph(graph: Graph, ids: Tensor, { orders, buckets }: NgramHash): readonly Tensor[] {
  const [, tokens] = ids.shape as readonly [string, string];
  const byPosition = transpose(cast(ids, 'int64'), [1, 0]);
  const position = iota(graph, tokens);
  const results: Tensor[] = [];
  let hash = byPosition;
  for (let n = 2; n <= Math.max(...orders, 1); n++) {
    const back = n - 1;
    const exists = greater(position, back - 1);
    const source = where(exists, sub(position, back), 0);
    const earlier = where(reshape(exists, [tokens, 1]), gather(byPosition, source), 0);
    hash = mod(add(add(mul(hash, MULTIPLIER), earlier), 1), buckets);
    if (orders.includes(n)) results.push(transpose(hash, [1, 0]));
  }
  return results;
}
