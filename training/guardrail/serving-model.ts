import { Graph } from '../graph/graph.ts';
import { toOnnx } from '../graph/lower.ts';
import type { OnnxModel } from '../graph/onnx.ts';
import { add, mul, reduceLogSumExp, reduceMax, sub } from '../graph/ops.ts';
import { quantizeDynamic } from '../graph/quantize.ts';
import type { Tensor } from '../graph/tensor.ts';
import { type EncoderConfig, servingInputs, servingLogits } from '../models/encoder.ts';
import { Scope } from '../models/scope.ts';

export interface ServingModels {
  readonly float: OnnxModel;
  /** Weights int8, activations quantised while it runs. */
  readonly int8: OnnxModel;
}

/** A trained encoder. */
export interface Member {
  readonly encoder: EncoderConfig;
  /** Trained values by name, the embedding table included. */
  readonly parameters: ReadonlyMap<string, Float32Array>;
}

/** The models that are published. `temperature`: what logits are divided by, see `fitTemperature`. */
export function servingModels(members: readonly Member[], temperature: number): ServingModels {
  const float = floatServingModel(members, temperature);
  return { float, int8: quantizeDynamic(float, { range: 127, minSize: 32 }) };
}

/**
 * One model of one or more encoders with the same vocabulary; its logits are the mean of theirs. Encoders that were
 * trained from other seeds or shapes err in other places, so their mean errs less than each.
 */
export function floatServingModel(members: readonly Member[], temperature = 1): OnnxModel {
  const graph = new Graph();
  const inputs = servingInputs(graph);
  const parameters = new Map<string, Float32Array>();
  const logits = members.map((member, index) => {
    const prefix = memberPrefix(index);
    for (const [name, values] of member.parameters) parameters.set(prefix + name, values);
    return servingLogits(new Scope(graph, 0, prefix), inputs, member.encoder);
  });
  const joint = jointLogits(logits);
  return toOnnx(graph, { outputs: { logits: temperature === 1 ? joint : mul(joint, 1 / temperature) }, parameters });
}

/** Begins the names of a member's parameters. The first has none: a checkpoint of one encoder keeps plain names. */
export function memberPrefix(index: number): string {
  return index === 0 ? '' : `member${index}.`;
}

/**
 * Each member's logits [B, C] -> those that are served [B, C].
 *
 * All logits are raised by log Σ eˢ - max s, so that the highest one, which decides whether a text is flagged, carries
 * the evidence of all categories together: the losses train log Σ eˢ as "any of them", and evidence is often split among
 * neighbours.
 */
export function jointLogits(members: readonly Tensor[]): Tensor {
  const mean = members.length === 1 ? members[0]! : mul(members.reduce(add), 1 / members.length);
  return add(mean, sub(reduceLogSumExp(mean, [1], true), reduceMax(mean, [1], true)));
}
