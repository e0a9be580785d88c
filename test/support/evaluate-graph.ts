import type { Graph } from '../../training/graph/graph.ts';
import { toOnnx } from '../../training/graph/lower.ts';
import type { OnnxModel } from '../../training/graph/onnx.ts';
import { GraphSession, toTensor } from '../../training/graph/session.ts';
import type { Tensor, TensorData } from '../../training/graph/tensor.ts';

/** Values by name with their shape. */
export type Values = Readonly<Record<string, readonly [data: TensorData, shape: readonly number[]]>>;

export interface Result {
  readonly data: number[];
  readonly dims: readonly number[];
}

/** Runs a model once and lets go of it. */
export async function evaluateModel(model: OnnxModel, values: Values = {}): Promise<Record<string, Result>> {
  const session = await GraphSession.create(model, { threads: 1 });
  const feeds = Object.entries(values).map(([name, [data, shape]]) => [name, toTensor(data, shape)] as const);
  const outputs = await session.evaluate(Object.fromEntries(feeds));
  await session.release();
  return Object.fromEntries(
    Object.entries(outputs).map(([name, { data, dims }]) => [
      name,
      { data: Array.from(data as Float32Array, Number), dims },
    ]),
  );
}

/** Writes some tensors of a graph as a model and runs it once. */
export function evaluateGraph(
  graph: Graph,
  outputs: Readonly<Record<string, Tensor>>,
  values: Values = {},
): Promise<Record<string, Result>> {
  return evaluateModel(toOnnx(graph, { outputs }), values);
}
