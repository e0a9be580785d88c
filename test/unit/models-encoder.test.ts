import { beforeAll, describe, expect, it } from 'vitest';
import { Graph } from '../../training/graph/graph.ts';
import { toOnnx } from '../../training/graph/lower.ts';
import { add, mul, reshape } from '../../training/graph/ops.ts';
import type { Shape, Tensor } from '../../training/graph/tensor.ts';
import { EmbeddingTable } from '../../training/models/embedding-table.ts';
import {
  EMBEDDING,
  type EncoderConfig,
  embeddingRows,
  encoderLogits,
  servingInputs,
  servingLogits,
} from '../../training/models/encoder.ts';
import { ngramBuckets } from '../../training/models/ngram-hash.ts';
import { ParameterSet } from '../../training/models/parameters.ts';
import { Scope } from '../../training/models/scope.ts';
import { MULTILABEL_LOSSES } from '../../training/objectives/multilabel.ts';
import { gaussian, seededRandom } from '../../training/random.ts';
import { evaluateModel, type Values } from '../support/evaluate-graph.ts';
import { gradientError } from '../support/finite-differences.ts';

const CONFIG: EncoderConfig = {
  vocabSize: 20,
  ngrams: { orders: [2, 3], buckets: 31 },
  embedding: 6,
  width: 4,
  layers: 2,
  heads: 2,
  feedForward: 5,
  maxTokens: 8,
  outputs: 3,
};

/** Parameters as an untrained model has them, but far enough from 0 that every path carries signal. */
function parameterValues(config: EncoderConfig): ReadonlyMap<string, Float32Array> {
  const graph = new Graph();
  const embedded = graph.input('embedded', 'float32', ['B', 'T', config.embedding]);
  encoderLogits(new Scope(graph), embedded, graph.input('mask', 'int32', ['B', 'T']), config);
  const set = new ParameterSet(graph.parameters, 1);
  const random = seededRandom(2);
  for (let i = 0; i < set.values.length; i++) set.values[i]! += 0.3 * gaussian(random);
  return set.byName();
}

/** A scope whose parameters are given tensors. */
class GivenParameters extends Scope {
  readonly #given: ReadonlyMap<string, Tensor>;
  readonly #path: string;

  constructor(graph: Graph, given: ReadonlyMap<string, Tensor>, path = '') {
    super(graph);
    this.#given = given;
    this.#path = path;
  }

  override at(name: string): Scope {
    return new GivenParameters(this.graph, this.#given, `${this.#path}${name}.`);
  }

  override matrix(name: string): Tensor {
    return this.#given.get(this.#path + name) as Tensor;
  }

  override vector(name: string): Tensor {
    return this.#given.get(this.#path + name) as Tensor;
  }
}

function parameterShapes(config: EncoderConfig): readonly (readonly [string, Shape])[] {
  const graph = new Graph();
  const embedded = graph.input('embedded', 'float32', ['B', 'T', config.embedding]);
  encoderLogits(new Scope(graph), embedded, graph.input('mask', 'int32', ['B', 'T']), config);
  return graph.parameters.map(({ tensor }) => [tensor.name, tensor.shape]);
}

describe('gradients of the whole model', () => {
  // Two texts, one of them padded and unsafe in a category that nobody named.
  const config = { ...CONFIG, layers: 1 };
  const all = parameterShapes(config);
  // Softmax takes out what is added to all scores alike: these gradients are 0, and their differences only rounding.
  const idle = all.filter(([name]) => /(key|score)\.bias$/.test(name));
  const parameters = all.filter((parameter) => !idle.includes(parameter));

  it.each(['bce', 'mcc'] as const)(
    'by %s agree with central differences for the input and all parameters but those idle',
    async (loss) => {
      const error = await gradientError({
        operands: [['B', 'T', config.embedding], ...parameters.map(([, shape]) => shape)],
        sizes: { B: 2, T: 3 },
        range: [-0.5, 0.5],
        step: 1e-2,
        build: (graph, [embedded, ...rest]) => {
          // Spread so that every layer matters: a gradient near 0 would drown in the rounding of a float32 loss.
          const given = new Map(
            parameters.map(([name], index) => {
              const drawn = rest[index] as Tensor;
              return [name, name.endsWith('scale') ? add(drawn, 1) : mul(drawn, 2)];
            }),
          );
          for (const [name, shape] of idle)
            given.set(name, graph.constant(new Float32Array(shape[0] as number), shape as number[]));
          const mask = reshape(graph.constant(Int32Array.of(1, 1, 1, 1, 1, 0), [2, 3]), ['B', 'T']);
          const logits = encoderLogits(new GivenParameters(graph, given), embedded as Tensor, mask, config);
          return MULTILABEL_LOSSES[loss](logits, {
            targets: reshape(graph.constant(Float32Array.of(1, 0, 1, 0, 0, 0), [2, 3]), ['B', 3]),
            known: reshape(graph.constant(Float32Array.of(1, 0), [2]), ['B']),
            weight: reshape(graph.constant(Float32Array.of(0.75, 0.25), [2]), ['B']),
          });
        },
      });
      expect(error).toBeLessThan(1e-3);
    },
  );
});

/** Logits by row. Values beyond a text's length are what `padding` says. */
async function logitsOf(texts: readonly Float32Array[], length: number, padding: number): Promise<number[][]> {
  const { embedding, outputs } = CONFIG;
  const graph = new Graph();
  const embedded = graph.input('embedded', 'float32', ['B', 'T', embedding]);
  const mask = graph.input('attention_mask', 'int32', ['B', 'T']);
  const logits = encoderLogits(new Scope(graph), embedded, mask, CONFIG);
  const data = new Float32Array(texts.length * length * embedding).fill(padding);
  const present = new Int32Array(texts.length * length);
  for (const [b, text] of texts.entries()) {
    data.set(text, b * length * embedding);
    present.fill(1, b * length, b * length + text.length / embedding);
  }
  const model = toOnnx(graph, { outputs: { logits }, parameters: parameterValues(CONFIG) });
  const result = await evaluateModel(model, {
    embedded: [data, [texts.length, length, embedding]],
    attention_mask: [present, [texts.length, length]],
  });
  const flat = result['logits']?.data as number[];
  return texts.map((_, b) => flat.slice(b * outputs, (b + 1) * outputs));
}

function expectClose(actual: readonly number[] | undefined, expected: readonly number[] | undefined): void {
  expect(actual).toHaveLength(expected?.length as number);
  for (const [c, value] of (expected ?? []).entries()) expect(actual?.[c]).toBeCloseTo(value, 5);
}

describe('a text alone decides its logits', () => {
  const random = seededRandom(5);
  const [first, second, third] = [3, 5, 1].map((tokens) =>
    Float32Array.from({ length: tokens * CONFIG.embedding }, () => gaussian(random)),
  ) as [Float32Array, Float32Array, Float32Array];
  let alone: (number[] | undefined)[];
  beforeAll(async () => {
    const each = await Promise.all([first, second, third].map((text) => logitsOf([text], text.length / 6, 0)));
    alone = each.map(([row]) => row);
  });

  it('and differ between texts', () => {
    expect(Math.abs((alone[0]?.[0] as number) - (alone[1]?.[0] as number))).toBeGreaterThan(0.01);
  });

  it.each([0, 50])('whatever padding holds: %d', async (padding) => {
    const [row] = await logitsOf([first], 8, padding);
    expectClose(row, alone[0]);
  });

  it('whoever stands beside it in the batch', async () => {
    const rows = await logitsOf([third, second, first, second], 6, 9);
    expectClose(rows[0], alone[2]);
    expectClose(rows[1], alone[1]);
    expectClose(rows[2], alone[0]);
    expectClose(rows[3], alone[1]);
  });

  it('and the order of its tokens counts', async () => {
    const turned = Float32Array.from(second);
    turned.copyWithin(0, 6, 12);
    turned.set(second.subarray(0, 6), 6);
    const [row] = await logitsOf([turned], 5, 0);
    expect(Math.abs((row?.[0] as number) - (alone[1]?.[0] as number))).toBeGreaterThan(1e-3);
  });
});

describe('the serving graph', () => {
  it.each([[[2, 3]], [[3]], [[]]])(
    'gives what lookup and encoder give in training, n-gram orders %j',
    async (orders) => {
      const config = { ...CONFIG, ngrams: { orders, buckets: 31 } };
      const random = seededRandom(9);
      const table = new EmbeddingTable(embeddingRows(config), config.embedding);
      table.initialise(random, 1);
      const texts = [[2, 7, 19, 7, 3], [2, 11, 3], [4]];
      const [batch, length, columns] = [texts.length, 5, 1 + orders.length];

      const ids = new Int32Array(batch * length);
      const mask = new Int32Array(batch * length);
      const indices = new Int32Array(batch * length * columns).fill(-1);
      for (const [b, text] of texts.entries()) {
        const buckets = ngramBuckets(text, config.ngrams);
        for (const [t, id] of text.entries()) {
          ids[b * length + t] = id;
          mask[b * length + t] = 1;
          indices[(b * length + t) * columns] = id;
          for (let j = 1; j < columns; j++)
            indices[(b * length + t) * columns + j] = config.vocabSize + (buckets[t * (columns - 1) + j - 1] as number);
        }
      }
      const embedded = new Float32Array(batch * length * config.embedding);
      table.lookup(indices, columns, embedded);

      const values = new Map(parameterValues(config)).set(EMBEDDING, table.composed());
      const serving = new Graph();
      const served = servingLogits(new Scope(serving), servingInputs(serving), config);
      const training = new Graph();
      const trained = encoderLogits(
        new Scope(training),
        training.input('embedded', 'float32', ['B', 'T', config.embedding]),
        training.input('attention_mask', 'int32', ['B', 'T']),
        config,
      );
      const attention: Values = { attention_mask: [mask, [batch, length]] };
      const actual = await evaluateModel(toOnnx(serving, { outputs: { logits: served }, parameters: values }), {
        ...attention,
        input_ids: [ids, [batch, length]],
      });
      const expected = await evaluateModel(toOnnx(training, { outputs: { logits: trained }, parameters: values }), {
        ...attention,
        embedded: [embedded, [batch, length, config.embedding]],
      });
      expect(actual['logits']?.dims).toEqual([batch, config.outputs]);
      expectClose(actual['logits']?.data, expected['logits']?.data);
    },
  );
});
