import type { Tensor as OrtTensor } from 'onnxruntime-node';
import { CATEGORIES } from '../../src/taxonomy.ts';
import { type Feeds, GraphSession, toTensor } from '../graph/session.ts';
import type { Tensor } from '../graph/tensor.ts';
import { composeTokens } from '../models/character-ngrams.ts';
import { EmbeddingTable, type LookupGradient } from '../models/embedding-table.ts';
import { EMBEDDING, embeddingRows } from '../models/encoder.ts';
import { ngramBuckets } from '../models/ngram-hash.ts';
import { gradientName, ParameterSet } from '../models/parameters.ts';
import { clipByGlobalNorm } from '../optimizers/clip.ts';
import * as optimizer from '../optimizers/optimizer.ts';
import { derivedSeed, seededRandom } from '../random.ts';
import { paddedLength } from './batches.ts';
import type { GuardrailConfig } from './config.ts';
import { type Corpus, rowLength } from './corpus.ts';
import { type TrainingGraph, trainingGraph } from './training-graph.ts';

export interface StepResult {
  /** Weighted mean loss of the step's rows. */
  readonly loss: number;
  readonly gradientNorm: number;
  /** Tokens that were not padding. */
  readonly tokens: number;
}

/** Everything that a step changes; what a resumed run has to restore. */
export interface TrainerState {
  readonly step: number;
  readonly parameters: Float32Array;
  readonly parameterOptimizer: optimizer.OptimizerState;
  readonly table: Float32Array;
  readonly tableOptimizer: optimizer.OptimizerState;
}

type VocabularyTokens = readonly (string | undefined)[];

/** The guardrail under training: parameters, optimizer and the session that runs forward and backward. */
export class GuardrailTrainer {
  readonly config: GuardrailConfig;
  readonly parameters: ParameterSet;
  readonly table: EmbeddingTable;
  step = 0;
  #optimizer: optimizer.OptimizerState;
  readonly #session: GraphSession;
  readonly #dropoutMasks: readonly Tensor[];
  readonly #accumulated: Float32Array;

  private constructor(config: GuardrailConfig, session: GraphSession, graph: TrainingGraph, tokens: VocabularyTokens) {
    const { encoder, characters, seed } = config;
    const rows = embeddingRows(encoder);
    this.config = config;
    this.parameters = new ParameterSet(graph.parameters, seed);
    this.table = new EmbeddingTable(
      rows,
      encoder.embedding,
      characters.buckets,
      composeTokens(tokens, characters, rows),
    );
    this.table.initialise(seededRandom(derivedSeed(seed, 'embedding')), 0.02, 0, encoder.vocabSize);
    this.#session = session;
    this.#dropoutMasks = graph.dropoutMasks;
    const { method } = config.optimizer;
    this.#optimizer = optimizer.init(method, this.parameters.values.length);
    if (method !== 'adamw') this.table.optimizer = optimizer.init(method, this.table.values.length);
    this.#accumulated = new Float32Array(this.parameters.values.length);
  }

  /** `tokens`: the vocabulary's strings by id, for their character n-grams. */
  static async create(config: GuardrailConfig, tokens: VocabularyTokens): Promise<GuardrailTrainer> {
    const graph = trainingGraph(config.encoder, config.loss, config.dropout);
    const session = await GraphSession.create(graph.model, { threads: config.threads });
    return new GuardrailTrainer(config, session, graph, tokens);
  }

  /** Values of a serving graph's parameters by name. */
  servingParameters(): ReadonlyMap<string, Float32Array> {
    return new Map(this.parameters.byName()).set(EMBEDDING, this.table.composed());
  }

  /** One optimizer step over micro-batches of row numbers, at the given learning rate. */
  async train(corpus: Corpus, microBatches: readonly Int32Array[], learningRate: number): Promise<StepResult> {
    const { config, table, parameters } = this;
    const rows = microBatches.reduce((n, batch) => n + batch.length, 0);
    const random = seededRandom(derivedSeed(config.seed, `step ${this.step}`));
    const lookups: LookupGradient[] = [];
    let loss = 0;
    let tokens = 0;
    this.#accumulated.fill(0);
    for (const batch of microBatches) {
      const result = await this.#forwardBackward(corpus, batch, 1 / rows, random);
      lookups.push(result.lookup);
      loss += result.loss;
      tokens += result.tokens;
      for (let i = 0; i < this.#accumulated.length; i++) this.#accumulated[i]! += parameters.gradients[i]!;
    }
    const rowGradients = table.gradient(lookups, this.#columns);
    const gradientNorm = clipByGlobalNorm([this.#accumulated, rowGradients.gradients], config.clip);
    this.#optimizer = optimizer.update(
      config.optimizer,
      this.#optimizer,
      parameters.values,
      this.#accumulated,
      parameters.decay,
      learningRate,
    );
    table.apply(config.optimizer, rowGradients, learningRate * config.embeddingRate);
    this.step++;
    return { loss, gradientNorm, tokens };
  }

  state(): TrainerState {
    return {
      step: this.step,
      parameters: this.parameters.values,
      parameterOptimizer: this.#optimizer,
      table: this.table.values,
      tableOptimizer: this.table.optimizer,
    };
  }

  /** Continues from a state of the same configuration, to the bit. */
  restore(state: TrainerState): void {
    this.step = state.step;
    this.parameters.values.set(state.parameters);
    this.#optimizer = state.parameterOptimizer;
    this.table.values.set(state.table);
    this.table.optimizer = state.tableOptimizer;
  }

  async release(): Promise<void> {
    await this.#session.release();
  }

  /** Rows of the table that each position reads: its token and one bucket per n-gram order. */
  get #columns(): number {
    return 1 + this.config.encoder.ngrams.orders.length;
  }

  async #forwardBackward(
    corpus: Corpus,
    batch: Int32Array,
    rowWeight: number,
    random: () => number,
  ): Promise<{ loss: number; tokens: number; lookup: LookupGradient }> {
    const { embedding } = this.config.encoder;
    const length = paddedLength(Math.max(...Array.from(batch, (row) => rowLength(corpus, row))));
    const indices = this.#indices(corpus, batch, length, random);
    const embedded = new Float32Array(batch.length * length * embedding);
    this.table.lookup(indices, this.#columns, embedded);

    const mask = new Int32Array(batch.length * length);
    const targets = new Float32Array(batch.length * CATEGORIES.length);
    const known = new Float32Array(batch.length);
    const weights = new Float32Array(batch.length);
    let tokens = 0;
    for (const [b, row] of batch.entries()) {
      const used = rowLength(corpus, row);
      mask.fill(1, b * length, b * length + used);
      tokens += used;
      known[b] = corpus.known[row]!;
      weights[b] = corpus.weights[row]! * rowWeight;
      for (let c = 0; c < CATEGORIES.length; c++)
        targets[b * CATEGORIES.length + c] = (corpus.categories[row]! >> c) & 1;
    }
    const feeds: Feeds = {
      ...this.parameters.feeds,
      embedded: toTensor(embedded, [batch.length, length, embedding]),
      attention_mask: toTensor(mask, [batch.length, length]),
      targets: toTensor(targets, [batch.length, CATEGORIES.length]),
      known: toTensor(known, [batch.length]),
      weight: toTensor(weights, [batch.length]),
    };
    const sizes = { B: batch.length, T: length, N: batch.length * length };
    for (const tensor of this.#dropoutMasks)
      feeds[tensor.name] = dropoutMask(tensor, sizes, this.config.dropout, random);

    const loss = new Float32Array(1);
    const dOut = new Float32Array(embedded.length);
    await this.#session.run(feeds, {
      ...this.parameters.gradientOutputs,
      loss: toTensor(loss, []),
      [gradientName('embedded')]: toTensor(dOut, [batch.length, length, embedding]),
    });
    return { loss: loss[0]!, tokens, lookup: { indices, dOut } };
  }

  /** [N, 1 + orders] rows to read, -1 for padding and for what token or n-gram dropout takes away. */
  #indices(corpus: Corpus, batch: Int32Array, length: number, random: () => number): Int32Array {
    const { encoder, tokenDropout, ngramDropout } = this.config;
    const columns = this.#columns;
    const indices = new Int32Array(batch.length * length * columns).fill(-1);
    for (const [b, row] of batch.entries()) {
      const ids = corpus.ids.subarray(corpus.offsets[row]!, corpus.offsets[row + 1]!);
      const buckets = columns > 1 ? ngramBuckets(ids, encoder.ngrams) : undefined;
      for (let t = 0; t < ids.length; t++) {
        const at = (b * length + t) * columns;
        if (tokenDropout === 0 || random() >= tokenDropout) indices[at] = ids[t]!;
        for (let j = 1; j < columns; j++) {
          if (ngramDropout > 0 && random() < ngramDropout) continue;
          indices[at + j] = encoder.vocabSize + buckets![t * (columns - 1) + j - 1]!;
        }
      }
    }
    return indices;
  }
}

/**
 * 0 or 1 / (1 - rate) per value. Four values share the bytes of one 32-bit draw, so the rate is a multiple of 1/256: a
 * full draw per value took a fifth of a training step.
 */
function dropoutMask(tensor: Tensor, sizes: Record<string, number>, rate: number, random: () => number): OrtTensor {
  const shape = tensor.shape.map((dim) => (typeof dim === 'number' ? dim : sizes[dim]!));
  const mask = new Float32Array(shape.reduce((n, dim) => n * dim, 1));
  const dropped = Math.round(rate * 256);
  const kept = 256 / (256 - dropped);
  let x = Math.floor(random() * 2 ** 32) | 1;
  for (let i = 0; i < mask.length; i++) {
    if (i % 4 === 0) {
      // xorshift32 (Marsaglia 2003)
      x ^= x << 13;
      x ^= x >>> 17;
      x ^= x << 5;
    }
    mask[i] = ((x >>> ((i & 3) << 3)) & 255) < dropped ? 0 : kept;
  }
  return toTensor(mask, shape);
}
