import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import protobuf from 'protobufjs';
import type { Manifest } from '../src/checkpoint/manifest.ts';
import { gradients } from '../training/graph/autodiff.ts';
import { Graph } from '../training/graph/graph.ts';
import { toOnnx } from '../training/graph/lower.ts';
import { add, mul, reduceLogSumExp, reduceMax, reduceSum, sub } from '../training/graph/ops.ts';
import { GraphSession, toTensor } from '../training/graph/session.ts';
import { EMBEDDING, type EncoderConfig, encoderLogits } from '../training/models/encoder.ts';
import { ngramBuckets } from '../training/models/ngram-hash.ts';
import { Scope } from '../training/models/scope.ts';

/**
 * What each token adds to a category, by the gradient of its logit through the training engine: gradient x input
 * (Shrikumar et al., arXiv 1605.01713) with one step, integrated gradients (Sundararajan et al., arXiv 1703.01365, eq. 1)
 * from the zero vector with more. The weights are read from the served model; int8 ones are turned back into floats.
 */
export interface Saliency {
  /** [T] for `ids` [T]; sums a token's row with those of its n-grams. `steps`: points on the way from zero, run as one batch. */
  attribute(ids: Int32Array, label: number, steps: number): Promise<Float32Array>;
  release(): Promise<void>;
}

export async function createSaliency(directory: string, manifest: Manifest): Promise<Saliency> {
  const config = (manifest.architecture as unknown as { encoder: EncoderConfig }).encoder;
  const weights = readWeights(join(directory, manifest.model));
  const graph = new Graph();
  const embedded = graph.input('embedded', 'float32', ['B', 'T', config.embedding]);
  const mask = graph.input('attention_mask', 'int32', ['B', 'T']);
  const chosen = graph.input('chosen', 'float32', ['B', config.outputs]);
  const raw = encoderLogits(new Scope(graph), embedded, mask, config);
  const logits = add(raw, sub(reduceLogSumExp(raw, [1], true), reduceMax(raw, [1], true)));
  const [slope] = gradients(graph, reduceSum(mul(logits, chosen), [0, 1]), [embedded]);
  const parameters = new Map(graph.parameters.map(({ tensor: { name } }) => [name, weights.values(name)]));
  const session = await GraphSession.create(
    toOnnx(graph, { outputs: { slope: slope as NonNullable<typeof slope> }, parameters }),
    { threads: 1 },
  );
  const width = config.embedding;

  /** [T, E] */
  function embed(ids: Int32Array): Float32Array {
    const buckets = ngramBuckets(ids, config.ngrams);
    const orders = config.ngrams.orders.length;
    const out = new Float32Array(ids.length * width);
    for (const [t, id] of ids.entries()) {
      const position = out.subarray(t * width, (t + 1) * width);
      weights.addRow(EMBEDDING, id, position);
      for (let n = 0; n < orders; n++) {
        weights.addRow(EMBEDDING, config.vocabSize + (buckets[t * orders + n] as number), position);
      }
    }
    return out;
  }

  return {
    async attribute(ids, label, steps) {
      const whole = embed(ids);
      const batch = new Float32Array(steps * whole.length);
      for (let step = 0; step < steps; step++) {
        // The middle of each part of the way; with one step the text itself.
        const share = steps === 1 ? 1 : (step + 0.5) / steps;
        for (let i = 0; i < whole.length; i++) batch[step * whole.length + i] = share * (whole[i] as number);
      }
      const choice = new Float32Array(steps * config.outputs);
      for (let step = 0; step < steps; step++) choice[step * config.outputs + label] = 1 / steps;
      const outputs = await session.evaluate({
        embedded: toTensor(batch, [steps, ids.length, width]),
        attention_mask: toTensor(new Int32Array(steps * ids.length).fill(1), [steps, ids.length]),
        chosen: toTensor(choice, [steps, config.outputs]),
      });
      const gradient = outputs['slope']?.data as Float32Array;
      const result = new Float32Array(ids.length);
      for (let i = 0; i < gradient.length; i++) {
        const at = i % whole.length;
        const token = Math.floor(at / width);
        result[token] = (result[token] as number) + (gradient[i] as number) * (whole[at] as number);
      }
      return result;
    },
    release: () => session.release(),
  };
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
    const scaleOf = (i: number) => (name === EMBEDDING ? Math.floor(i / perScale) : i % scales.length);
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
