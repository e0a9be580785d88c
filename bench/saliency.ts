import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import protobuf from 'protobufjs';
import type { Manifest } from '../src/checkpoint/manifest.ts';
import { gradients } from '../training/graph/autodiff.ts';
import { Graph } from '../training/graph/graph.ts';
import { toOnnx } from '../training/graph/lower.ts';
import { mul, reduceSum } from '../training/graph/ops.ts';
import { type Feeds, GraphSession, toTensor } from '../training/graph/session.ts';
import type { Tensor } from '../training/graph/tensor.ts';
import { jointLogits, memberPrefix } from '../training/guardrail/serving-model.ts';
import { EMBEDDING, type EncoderConfig, encoderLogits } from '../training/models/encoder.ts';
import { ngramBuckets } from '../training/models/ngram-hash.ts';
import { Scope } from '../training/models/scope.ts';

/**
 * What each token adds to a category, by the gradient of its logit through the training engine: gradient x input
 * (Shrikumar et al., arXiv 1605.01713) with one step, integrated gradients (Sundararajan et al., arXiv 1703.01365, eq. 1)
 * from the zero vector with more. A merged model's members add up, each with its share of the mean. The weights are read
 * from the served model; int8 ones are turned back into floats.
 */
export interface Saliency {
  /** [T] for `ids` [T]; sums a token's row with those of its n-grams. `steps`: points on the way from zero, run as one batch. */
  attribute(ids: Int32Array, label: number, steps: number): Promise<Float32Array>;
  release(): Promise<void>;
}

export async function createSaliency(directory: string, manifest: Manifest): Promise<Saliency> {
  const configs = encodersOf(manifest);
  const { outputs } = configs[0] as EncoderConfig;
  const weights = readWeights(join(directory, manifest.model));
  const graph = new Graph();
  const mask = graph.input('attention_mask', 'int32', ['B', 'T']);
  const chosen = graph.input('chosen', 'float32', ['B', outputs]);
  const embedded = configs.map(({ embedding }, m) => graph.input(`embedded${m}`, 'float32', ['B', 'T', embedding]));
  const logits = configs.map((config, m) =>
    encoderLogits(new Scope(graph, 0, memberPrefix(m)), embedded[m] as Tensor, mask, config),
  );
  // A member's share of the mean is in its slope.
  const slopes = gradients(graph, reduceSum(mul(jointLogits(logits), chosen), [0, 1]), embedded);
  const parameters = new Map(graph.parameters.map(({ tensor: { name } }) => [name, weights.values(name)]));
  const session = await GraphSession.create(
    toOnnx(graph, {
      outputs: Object.fromEntries(slopes.map((slope, m) => [`slope${m}`, slope as Tensor])),
      parameters,
    }),
    { threads: 1 },
  );

  /** [T, E] */
  function embed(ids: Int32Array, { vocabSize, ngrams, embedding }: EncoderConfig, table: string): Float32Array {
    const buckets = ngramBuckets(ids, ngrams);
    const orders = ngrams.orders.length;
    const out = new Float32Array(ids.length * embedding);
    for (const [t, id] of ids.entries()) {
      const position = out.subarray(t * embedding, (t + 1) * embedding);
      weights.addRow(table, id, position);
      for (let n = 0; n < orders; n++) weights.addRow(table, vocabSize + (buckets[t * orders + n] as number), position);
    }
    return out;
  }

  return {
    async attribute(ids, label, steps) {
      const texts = configs.map((config, m) => embed(ids, config, memberPrefix(m) + EMBEDDING));
      const feeds: Feeds = {
        attention_mask: toTensor(new Int32Array(steps * ids.length).fill(1), [steps, ids.length]),
        chosen: toTensor(choice(label, outputs, steps), [steps, outputs]),
      };
      for (const [m, text] of texts.entries()) {
        feeds[`embedded${m}`] = toTensor(wayFromZero(text, steps), [steps, ids.length, text.length / ids.length]);
      }
      const found = await session.evaluate(feeds);
      const result = new Float32Array(ids.length);
      for (const [m, text] of texts.entries()) {
        const slope = found[`slope${m}`]?.data as Float32Array;
        for (let i = 0; i < slope.length; i++) {
          const at = i % text.length;
          const token = Math.floor((at * ids.length) / text.length);
          result[token] = (result[token] as number) + (slope[i] as number) * (text[at] as number);
        }
      }
      return result;
    },
    release: () => session.release(),
  };
}

function encodersOf({ architecture }: Manifest): readonly EncoderConfig[] {
  const { encoder, encoders } = architecture as { encoder?: EncoderConfig; encoders?: readonly EncoderConfig[] };
  const found = encoders ?? (encoder && [encoder]);
  if (!found) throw new Error(`a model of kind ${architecture.kind} is not one of our own`);
  return found;
}

/** [steps, T, E] for a text [T, E]: the middle of each part of the way; with one step the text itself. */
function wayFromZero(text: Float32Array, steps: number): Float32Array {
  const way = new Float32Array(steps * text.length);
  for (let step = 0; step < steps; step++) {
    const share = steps === 1 ? 1 : (step + 0.5) / steps;
    for (let i = 0; i < text.length; i++) way[step * text.length + i] = share * (text[i] as number);
  }
  return way;
}

/** [steps, C]: the label's logit, averaged over the steps. */
function choice(label: number, outputs: number, steps: number): Float32Array {
  const chosen = new Float32Array(steps * outputs);
  for (let step = 0; step < steps; step++) chosen[step * outputs + label] = 1 / steps;
  return chosen;
}

// Field numbers of onnx.proto; only what is read.
const { root } = protobuf.parse(
  `
  syntax = "proto3";
  message ModelProto { GraphProto graph = 7; }
  message GraphProto { repeated TensorProto initializer = 5; }
  message TensorProto { string name = 8; bytes raw_data = 9; }
`,
  { keepCase: true },
);

function readWeights(path: string) {
  const model = root.lookupType('ModelProto').decode(readFileSync(path)) as unknown as {
    graph: { initializer: { name: string; raw_data: Uint8Array }[] };
  };
  const bytes = new Map(model.graph.initializer.map(({ name, raw_data }) => [name, new Uint8Array(raw_data)]));
  const floats = (name: string) => {
    const data = bytes.get(name);
    return data && new Float32Array(data.buffer, data.byteOffset, data.byteLength / 4);
  };
  const whole = (name: string): Float32Array => {
    const plain = floats(name);
    if (plain) return plain;
    const [quantized, scales] = [bytes.get(`${name}:int8`), floats(`${name}:scale`)];
    if (!quantized || !scales) throw new Error(`${path} has no ${name}: it is not one of our own models`);
    // One scale per row of the table, per column of anything else.
    const perScale = quantized.length / scales.length;
    const scaleOf = (i: number) => (name.endsWith(EMBEDDING) ? Math.floor(i / perScale) : i % scales.length);
    return Float32Array.from(new Int8Array(quantized.buffer), (value, i) => value * (scales[scaleOf(i)] as number));
  };
  const known = new Map<string, Float32Array>();
  const values = (name: string) => {
    const found = known.get(name) ?? whole(name);
    known.set(name, found);
    return found;
  };
  return {
    values,
    addRow(name: string, row: number, to: Float32Array): void {
      const table = values(name);
      for (let i = 0; i < to.length; i++) to[i] = (to[i] as number) + (table[row * to.length + i] as number);
    },
  };
}
