import { gradients } from '../graph/autodiff.ts';
import { Graph, type Parameter } from '../graph/graph.ts';
import { toOnnx } from '../graph/lower.ts';
import type { OnnxModel } from '../graph/onnx.ts';
import type { Tensor } from '../graph/tensor.ts';
import { type EncoderConfig, encoderLogits } from '../models/encoder.ts';
import { gradientName } from '../models/parameters.ts';
import { Scope } from '../models/scope.ts';
import { MULTILABEL_LOSSES, type MultilabelLossName } from '../objectives/multilabel.ts';

export interface TrainingGraph {
  /** Inputs: embedded, attention_mask, targets, known, weight, dropout masks, parameters. Outputs: loss, logits, d:*. */
  readonly model: OnnxModel;
  readonly parameters: readonly Parameter[];
  readonly dropoutMasks: readonly Tensor[];
}

/** One graph for forward, loss and backward of a step. */
export function trainingGraph(config: EncoderConfig, loss: MultilabelLossName, dropout: number): TrainingGraph {
  const graph = new Graph();
  const scope = new Scope(graph, dropout);
  const embedded = graph.input('embedded', 'float32', ['B', 'T', config.embedding]);
  const mask = graph.input('attention_mask', 'int32', ['B', 'T']);
  const targets = graph.input('targets', 'float32', ['B', config.outputs]);
  const known = graph.input('known', 'float32', ['B']);
  const weight = graph.input('weight', 'float32', ['B']);
  const logits = encoderLogits(scope, embedded, mask, config);
  const objective = MULTILABEL_LOSSES[loss](logits, { targets, known, weight });
  const wrt = graph.parameters.map(({ tensor }) => tensor);
  const derived = gradients(graph, objective, [embedded, ...wrt]);
  const outputs: Record<string, Tensor> = { loss: objective, logits, [gradientName('embedded')]: derived[0] as Tensor };
  for (const [index, tensor] of wrt.entries()) outputs[gradientName(tensor.name)] = derived[index + 1] as Tensor;
  return { model: toOnnx(graph, { outputs }), parameters: graph.parameters, dropoutMasks: scope.dropoutMasks };
}
