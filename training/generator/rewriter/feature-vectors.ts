import type { EmbeddingTable } from '../../models/embedding-table.ts';
import type { FeatureList } from './encoded-space.ts';
import { MOST_ROWS } from './feature-rows.ts';

/** Vectors of some features: [features, E], and what adding up their gradient needs. */
export interface FeatureVectors {
  readonly vectors: Float32Array;
  /** [features, MOST_ROWS] */
  readonly indices: Int32Array;
  /** By feature: 1 / √rows. */
  readonly scale: Float32Array;
}

/** `wanted`: numbers of the features, in the order in which their vectors come. */
export function featureVectors(
  table: EmbeddingTable,
  features: FeatureList,
  wanted: ArrayLike<number>,
): FeatureVectors {
  const indices = new Int32Array(wanted.length * MOST_ROWS).fill(-1);
  const scale = new Float32Array(wanted.length);
  for (let i = 0; i < wanted.length; i++) {
    const rows = features.rows(wanted[i]!);
    indices.set(rows, i * MOST_ROWS);
    scale[i] = rows.length > 0 ? 1 / Math.sqrt(rows.length) : 0;
  }
  const vectors = new Float32Array(wanted.length * table.width);
  table.lookup(indices, MOST_ROWS, vectors);
  scaleRows(vectors, scale, table.width);
  return { vectors, indices, scale };
}

/** Multiplies row i of `values` [rows, width] by `scale[i]`. */
export function scaleRows(values: Float32Array, scale: Float32Array, width: number): void {
  for (let row = 0; row < scale.length; row++) {
    for (let i = row * width; i < (row + 1) * width; i++) values[i]! *= scale[row]!;
  }
}

/** to[toRow] += factor * from[fromRow], rows of the given width. */
export function addRow(
  to: Float32Array,
  toRow: number,
  from: Float32Array,
  fromRow: number,
  width: number,
  factor = 1,
): void {
  const a = toRow * width;
  const b = fromRow * width;
  for (let i = 0; i < width; i++) to[a + i]! += factor * from[b + i]!;
}
