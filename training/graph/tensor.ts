import type { OpAttributes, OpName } from './op-table.ts';

/** A dimension: a known size, or the name of a size that is only known when the graph runs (`B`, `T`, ...). */
export type Dim = number | string;
export type Shape = readonly Dim[];
export type DType = 'float32' | 'int32' | 'int64' | 'bool';
export type TensorData = Float32Array | Int32Array | BigInt64Array | Uint8Array | Int8Array;

/** A value in the graph. Identity matters: two tensors are the same only if they are the same object. */
export interface Tensor {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: Shape;
  readonly graph: GraphHandle;
  /** The node that computes it; absent for inputs, parameters and constants. */
  readonly node?: Node;
}

export interface Node<O extends OpName = OpName> {
  readonly op: O;
  readonly inputs: readonly Tensor[];
  readonly attributes: OpAttributes[O];
  readonly outputs: readonly Tensor[];
}

/** What operator functions need of a graph; `Graph` implements it. */
export interface GraphHandle {
  apply<O extends OpName>(op: O, inputs: readonly Tensor[], attributes: OpAttributes[O]): readonly Tensor[];
  constant(data: TensorData | number, shape?: readonly number[], dtype?: DType): Tensor;
}

export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((dim, axis) => dim === b[axis]);
}

export function showShape(shape: Shape): string {
  return `[${shape.join(', ')}]`;
}

/** Resolves a possibly negative axis. */
export function toAxis(axis: number, rank: number): number {
  const resolved = axis < 0 ? axis + rank : axis;
  if (!Number.isInteger(resolved) || resolved < 0 || resolved >= rank) {
    throw new RangeError(`axis ${axis} is outside a tensor of rank ${rank}`);
  }
  return resolved;
}
