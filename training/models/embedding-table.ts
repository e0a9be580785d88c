import * as adamw from '../optimizers/adamw.ts';
import { type OptimizerConfig, type OptimizerState, updateRows } from '../optimizers/optimizer.ts';
import { gaussian } from '../random.ts';
import type { Composition } from './character-ngrams.ts';

/**
 * The large table [R, E] of a model, kept outside the graph. Each position of a batch reads K rows and their sum enters
 * the graph; the gradient that comes back is added to exactly the rows that were read. A step costs what its batch
 * touches, whatever R is.
 *
 * A row may be composed: its vector is its own values plus the mean of some extra rows, each of which takes its share
 * of the gradient.
 */
export class EmbeddingTable {
  /** Rows that positions can read; extra rows follow them. */
  readonly rows: number;
  readonly width: number;
  readonly values: Float32Array;
  /** Of AdamW unless another one is put in its place. */
  optimizer: OptimizerState;
  readonly #composition: Composition;
  /** Row -> place in the current list, or -1. */
  readonly #place: Int32Array;
  readonly #touched: Int32Array;
  #scratch = new Float32Array(0);

  constructor(rows: number, width: number, extraRows = 0, composition: Composition = NOT_COMPOSED) {
    this.rows = rows;
    this.width = width;
    const total = rows + extraRows;
    this.values = new Float32Array(total * width);
    this.optimizer = adamw.init(total * width);
    this.#composition = composition;
    this.#place = new Int32Array(total).fill(-1);
    this.#touched = new Int32Array(total);
  }

  /** Normal with the given deviation, for rows from `from` to before `to`. */
  initialise(random: () => number, deviation: number, from = 0, to = this.rows): void {
    for (let i = from * this.width; i < to * this.width; i++) this.values[i] = deviation * gaussian(random);
  }

  /** indices [N, K] (negative: no row) -> sums into `out` [N, E]. */
  lookup(indices: Int32Array, k: number, out: Float32Array): void {
    const { width } = this;
    const count = this.#collect([indices]);
    const vectors = this.#room(count);
    for (let p = 0; p < count; p++) this.#vector(this.#touched[p]!, vectors.subarray(p * width, (p + 1) * width));
    const positions = indices.length / k;
    out.fill(0, 0, positions * width);
    for (let n = 0; n < positions; n++) {
      const to = n * width;
      for (let j = 0; j < k; j++) {
        const row = indices[n * k + j]!;
        if (row < 0) continue;
        const from = this.#place[row]! * width;
        for (let i = 0; i < width; i++) out[to + i]! += vectors[from + i]!;
      }
    }
    this.#forget(count);
  }

  /**
   * Sums dOut [N, E] of each part into the gradient of each row that its `lookup` read. Several parts are the
   * micro-batches of one step. The result is valid until the next call of any method.
   */
  gradient(parts: readonly LookupGradient[], k: number): RowGradients {
    const { width } = this;
    const read = this.#collect(parts.map(({ indices }) => indices));
    let count = read;
    for (let p = 0; p < read; p++) {
      const row = this.#touched[p]!;
      for (let e = this.#firstExtra(row); e < this.#firstExtra(row + 1); e++)
        count = this.#add(this.#composition.rows[e]!, count);
    }
    const gradients = this.#room(count);
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
    for (let p = 0; p < read; p++) {
      const row = this.#touched[p]!;
      const [first, end] = [this.#firstExtra(row), this.#firstExtra(row + 1)];
      const share = 1 / (end - first);
      for (let e = first; e < end; e++) {
        const to = this.#place[this.#composition.rows[e]!]! * width;
        const from = p * width;
        for (let i = 0; i < width; i++) gradients[to + i]! += share * gradients[from + i]!;
      }
    }
    const rows = this.#touched.subarray(0, count);
    this.#forget(count);
    return { rows, gradients };
  }

  apply(config: OptimizerConfig, { rows, gradients }: RowGradients, learningRate: number): void {
    this.optimizer = updateRows(config, this.optimizer, this.values, this.width, rows, gradients, learningRate);
  }

  /** [R, E] with every composed row written out: the table of an exported model. */
  composed(): Float32Array {
    const table = new Float32Array(this.rows * this.width);
    for (let row = 0; row < this.rows; row++)
      this.#vector(row, table.subarray(row * this.width, (row + 1) * this.width));
    return table;
  }

  #vector(row: number, out: Float32Array): void {
    const { width, values } = this;
    out.set(values.subarray(row * width, (row + 1) * width));
    const [first, end] = [this.#firstExtra(row), this.#firstExtra(row + 1)];
    const share = 1 / (end - first);
    for (let e = first; e < end; e++) {
      const from = this.#composition.rows[e]! * width;
      for (let i = 0; i < width; i++) out[i]! += share * values[from + i]!;
    }
  }

  #firstExtra(row: number): number {
    const { offsets } = this.#composition;
    return offsets[Math.min(row, offsets.length - 1)]!;
  }

  /** Lists the different rows; returns how many. */
  #collect(lists: readonly Int32Array[]): number {
    let count = 0;
    for (const indices of lists) for (const row of indices) if (row >= 0) count = this.#add(row, count);
    return count;
  }

  #add(row: number, count: number): number {
    if (this.#place[row]! >= 0) return count;
    this.#place[row] = count;
    this.#touched[count] = row;
    return count + 1;
  }

  #forget(count: number): void {
    for (let p = 0; p < count; p++) this.#place[this.#touched[p]!] = -1;
  }

  /** Zeroed room for `count` vectors. */
  #room(count: number): Float32Array {
    const size = count * this.width;
    if (this.#scratch.length < size) this.#scratch = new Float32Array(Math.ceil(size * 1.5));
    return this.#scratch.subarray(0, size).fill(0);
  }
}

const NOT_COMPOSED: Composition = { offsets: new Int32Array(1), rows: new Int32Array(0) };

export interface RowGradients {
  readonly rows: Int32Array;
  /** [rows, E] */
  readonly gradients: Float32Array;
}

export interface LookupGradient {
  /** [N, K] as given to `lookup`. */
  readonly indices: Int32Array;
  /** [N, E] */
  readonly dOut: Float32Array;
}
