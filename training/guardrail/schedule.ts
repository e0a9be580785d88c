import { warmupCosine } from '../optimizers/schedule.ts';
import { derivedSeed, seededRandom } from '../random.ts';
import { formTrainingBatches } from './batches.ts';
import type { GuardrailConfig } from './config.ts';
import { type Corpus, rowLength } from './corpus.ts';
import { epochRows, groupQuotas } from './sampling.ts';

/** Which rows every step trains on: a pure function of data and settings, so a resumed run needs only its step. */
export class Schedule {
  readonly steps: number;
  readonly #corpus: Corpus;
  readonly #config: GuardrailConfig;
  readonly #quotas: readonly number[];
  readonly #stepsBefore: readonly number[];
  #epoch = -1;
  #batches: readonly Int32Array[] = [];

  constructor(corpus: Corpus, config: GuardrailConfig) {
    this.#corpus = corpus;
    this.#config = config;
    this.#quotas = groupQuotas(corpus.groups, config.rowsPerEpoch, config.balance);
    const before = [0];
    for (let epoch = 0; epoch < config.epochs; epoch++) {
      before.push(before[epoch]! + Math.ceil(this.#batchesOf(epoch).length / config.accumulate));
    }
    this.#stepsBefore = before;
    this.steps = before[config.epochs]!;
  }

  microBatches(step: number): readonly Int32Array[] {
    const epoch = this.#stepsBefore.findIndex((first) => first > step) - 1;
    const at = (step - this.#stepsBefore[epoch]!) * this.#config.accumulate;
    return this.#batchesOf(epoch).slice(at, at + this.#config.accumulate);
  }

  learningRate(step: number): number {
    const { learningRate, warmup } = this.#config;
    return warmupCosine(step, { peak: learningRate, warmup: warmup * this.steps, total: this.steps, floor: 0.02 });
  }

  #batchesOf(epoch: number): readonly Int32Array[] {
    if (epoch !== this.#epoch) {
      const { seed, batchTokens, batchRows } = this.#config;
      const rows = epochRows(this.#corpus.groups, this.#quotas, epoch, seed);
      const random = seededRandom(derivedSeed(seed, `batches ${epoch}`));
      const limits = { tokens: batchTokens, rows: batchRows };
      this.#batches = formTrainingBatches(rows, (row) => rowLength(this.#corpus, row), limits, random);
      this.#epoch = epoch;
    }
    return this.#batches;
  }
}
