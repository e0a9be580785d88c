import * as adamw from '../optimizers/adamw.ts';
import { gaussian } from '../random.ts';

/**
 * The large table [R, D] of a model, kept outside the graph. Each position of a batch reads K rows and their sum enters
 * the graph; the gradient that comes back is added to exactly the rows that were read. A step costs what its batch
 * touches, whatever R is.
 */
export class EmbeddingTable {
  readonly rows: number;
  readonly width: number;
  readonly values: Float32Array;
  optimizer: adamw.AdamwState;
  /** Row -> place in the current batch's list, or -1. */
  readonly #place: Int32Array;
  readonly #touched: Int32Array;
  #gradients = new Float32Array(0);

  constructor(rows: number, width: number) {
    this.rows = rows;
    this.width = width;
    this.values = new Float32Array(rows * width);
    this.optimizer = adamw.init(rows * width);
    this.#place = new Int32Array(rows).fill(-1);
    this.#touched = new Int32Array(rows);
  }

  /** Normal with the given deviation, for rows from `from` to before `to`. */
  initialise(random: () => number, deviation: number, from = 0, to = this.rows): void {
    for (let i = from * this.width; i < to * this.width; i++) this.values[i] = deviation * gaussian(random);
  }

  /** indices [N, K] (negative: no row) -> sums into `out` [N, D]. */
  lookup(indices: Int32Array, k: number, out: Float32Array): void {
    const { width, values } = this;
    const positions = indices.length / k;
    out.fill(0, 0, positions * width);
    for (let n = 0; n < positions; n++) {
      const to = n * width;
      for (let j = 0; j < k; j++) {
        const row = indices[n * k + j]!;
        if (row < 0) continue;
        const from = row * width;
        for (let i = 0; i < width; i++) out[to + i]! += values[from + i]!;
      }
    }
  }

  /**
   * Sums dOut [N, D] of each part into the gradient of each row that its `lookup` read. Several parts are the
   * micro-batches of one step. The result is valid until the next call.
   */
  gradient(parts: readonly LookupGradient[], k: number): RowGradients {
    const { width } = this;
    let count = 0;
    for (const { indices } of parts) {
      for (const row of indices) {
        if (row < 0 || this.#place[row]! >= 0) continue;
        this.#place[row] = count;
        this.#touched[count++] = row;
      }
    }
    if (this.#gradients.length < count * width) this.#gradients = new Float32Array(Math.ceil(count * 1.5) * width);
    const gradients = this.#gradients.subarray(0, count * width).fill(0);
    for (const { indices, dOut } of parts) {
      for (let n = 0; n < indices.length / k; n++) {
        const from = n * width;
        for (let j = 0; j < k; j++) {
          const row = indices[n * k + j]!;
          if (row < 0) continue;
          const to = this.#place[row]! * width;
          for (let i = 0; i < width; i++) gradients[to + i]! += dOut[from + i]!;
        }
      }
    }
    const rows = this.#touched.subarray(0, count);
    for (const row of rows) this.#place[row] = -1;
    return { rows, gradients };
  }

  apply(config: adamw.AdamwConfig, { rows, gradients }: RowGradients, learningRate: number): void {
    this.optimizer = adamw.updateRows(config, this.optimizer, this.values, this.width, rows, gradients, learningRate);
  }
}

export interface RowGradients {
  readonly rows: Int32Array;
  /** [rows, D] */
  readonly gradients: Float32Array;
}

export interface LookupGradient {
  /** [N, K] as given to `lookup`. */
  readonly indices: Int32Array;
  /** [N, D] */
  readonly dOut: Float32Array;
}
