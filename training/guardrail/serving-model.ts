import { Graph } from '../graph/graph.ts';
import { toOnnx } from '../graph/lower.ts';
import type { OnnxModel } from '../graph/onnx.ts';
import { add, reduceLogSumExp, reduceMax, sub } from '../graph/ops.ts';
import { quantizeDynamic } from '../graph/quantize.ts';
import { type EncoderConfig, servingLogits } from '../models/encoder.ts';
import { Scope } from '../models/scope.ts';

export interface ServingModels {
  readonly float: OnnxModel;
  /** Weights int8, activations quantised while it runs. */
  readonly int8: OnnxModel;
}

/** The models that are published, from trained values by name. */
export function servingModels(config: EncoderConfig, parameters: ReadonlyMap<string, Float32Array>): ServingModels {
  const float = floatServingModel(config, parameters);
  return { float, int8: quantizeDynamic(float, { range: 127, minSize: 32 }) };
}

/**
 * All logits are raised by log Σ eˢ - max s, so that the highest one, which decides whether a text is flagged, carries
 * the evidence of all categories together: the losses train log Σ eˢ as "any of them", and evidence is often split among
 * neighbours.
 */
export function floatServingModel(config: EncoderConfig, parameters: ReadonlyMap<string, Float32Array>): OnnxModel {
  const graph = new Graph();
  const raw = servingLogits(graph, new Scope(graph), config);
  const logits = add(raw, sub(reduceLogSumExp(raw, [1], true), reduceMax(raw, [1], true)));
  return toOnnx(graph, { outputs: { logits }, parameters });
}
