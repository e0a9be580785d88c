import type { OpAttributes, OpName } from './op-table.ts';
import { type Dim, type DType, type GraphHandle, type Shape, sameShape, type Tensor, toAxis } from './tensor.ts';

/** Operators as functions: `add(matmul(x, w), b)`. A plain number is a float32 scalar. */

export type Operand = Tensor | number;

function graphOf(operands: readonly Operand[]): GraphHandle {
  for (const operand of operands) if (typeof operand !== 'number') return operand.graph;
  throw new TypeError('an operator needs at least one tensor');
}

function apply<O extends OpName>(op: O, operands: readonly Operand[], attributes: OpAttributes[O]): Tensor {
  const graph = graphOf(operands);
  const like = operands.find((operand) => typeof operand !== 'number') as Tensor;
  const dtype = like.dtype === 'bool' ? 'float32' : like.dtype;
  const inputs = operands.map((operand) =>
    typeof operand === 'number' ? graph.constant(operand, [], dtype) : operand,
  );
  return graph.apply(op, inputs, attributes)[0] as Tensor;
}

export const add = (a: Operand, b: Operand): Tensor => apply('Add', [a, b], {});
export const sub = (a: Operand, b: Operand): Tensor => apply('Sub', [a, b], {});
export const mul = (a: Operand, b: Operand): Tensor => apply('Mul', [a, b], {});
export const div = (a: Operand, b: Operand): Tensor => apply('Div', [a, b], {});
export const pow = (a: Operand, b: Operand): Tensor => apply('Pow', [a, b], {});
export const mod = (a: Operand, b: Operand): Tensor => apply('Mod', [a, b], {});
export const neg = (x: Tensor): Tensor => apply('Neg', [x], {});
export const abs = (x: Tensor): Tensor => apply('Abs', [x], {});
export const exp = (x: Tensor): Tensor => apply('Exp', [x], {});
export const log = (x: Tensor): Tensor => apply('Log', [x], {});
export const sqrt = (x: Tensor): Tensor => apply('Sqrt', [x], {});
export const sigmoid = (x: Tensor): Tensor => apply('Sigmoid', [x], {});
export const tanh = (x: Tensor): Tensor => apply('Tanh', [x], {});
export const erf = (x: Tensor): Tensor => apply('Erf', [x], {});
export const relu = (x: Tensor): Tensor => apply('Relu', [x], {});
export const gelu = (x: Tensor): Tensor => apply('Gelu', [x], {});
/** log(1 + eˣ) */
export const softplus = (x: Tensor): Tensor => apply('Softplus', [x], {});
/** Batched product of the last two dimensions. */
export const matmul = (a: Tensor, b: Tensor): Tensor => apply('MatMul', [a, b], {});
/** Matrices only: op(a)·op(b) + bias. */
export const gemm = (a: Tensor, b: Tensor, bias?: Tensor, transA = false, transB = false): Tensor =>
  apply('Gemm', bias ? [a, b, bias] : [a, b], { transA, transB });
/** Along the last dimension. */
export const softmax = (x: Tensor): Tensor => apply('Softmax', [x], { axis: -1 });
export const logSoftmax = (x: Tensor): Tensor => apply('LogSoftmax', [x], { axis: -1 });

/** Over the last dimension; returns the normalised tensor (mean and inverse deviation stay inside the node). */
export const layerNormalization = (x: Tensor, scale: Tensor, bias: Tensor, epsilon = 1e-5): Tensor =>
  apply('LayerNormalization', [x, scale, bias], { epsilon });

export const reduceSum = (x: Tensor, axes: readonly number[], keepDims = false): Tensor =>
  apply('ReduceSum', [x], { axes, keepDims });
export const reduceMean = (x: Tensor, axes: readonly number[], keepDims = false): Tensor =>
  apply('ReduceMean', [x], { axes, keepDims });
export const reduceMax = (x: Tensor, axes: readonly number[], keepDims = false): Tensor =>
  apply('ReduceMax', [x], { axes, keepDims });
export const reduceLogSumExp = (x: Tensor, axes: readonly number[], keepDims = false): Tensor =>
  apply('ReduceLogSumExp', [x], { axes, keepDims });

/** Rows of `table` [R, ...] at `indices` [...]: [...indices, ...]. */
export const gather = (table: Tensor, indices: Tensor): Tensor => apply('Gather', [table, indices], {});
/** `table` with `updates` added to the rows at `indices`; a row named twice receives both. */
export const scatterAdd = (table: Tensor, indices: Tensor, updates: Tensor): Tensor =>
  apply('ScatterAdd', [table, indices, updates], {});
export const concat = (tensors: readonly Tensor[], axis: number): Tensor => apply('Concat', tensors, { axis });
/** Half-open [start, end) along one axis. */
export const slice = (x: Tensor, axis: number, start: number, end: number): Tensor =>
  apply('Slice', [x], { axis: toAxis(axis, x.shape.length), start, end });
export const transpose = (x: Tensor, perm: readonly number[]): Tensor => apply('Transpose', [x], { perm });
export const reshape = (x: Tensor, shape: Shape): Tensor =>
  sameShape(x.shape, shape) ? x : apply('Reshape', [x], { shape });
export const expand = (x: Tensor, shape: Shape): Tensor =>
  sameShape(x.shape, shape) ? x : apply('Expand', [x], { shape });
export const where = (condition: Tensor, a: Tensor, b: Operand): Tensor =>
  apply('Where', [condition, a, typeof b === 'number' ? a.graph.constant(b, [], a.dtype) : b], {});
export const cast = (x: Tensor, to: DType): Tensor => (x.dtype === to ? x : apply('Cast', [x], { to }));
export const equal = (a: Tensor, b: Operand): Tensor => apply('Equal', [a, b], {});
export const greater = (a: Tensor, b: Operand): Tensor => apply('Greater', [a, b], {});
export const zeros = (graph: GraphHandle, shape: Shape): Tensor => graph.apply('Zeros', [], { shape })[0] as Tensor;
/** 0, 1, ..., size - 1 as int64. */
export const iota = (graph: GraphHandle, size: Dim): Tensor => graph.apply('Iota', [], { size })[0] as Tensor;

/** Swaps the last two dimensions. */
export function transposeMatrix(x: Tensor): Tensor {
  const rank = x.shape.length;
  return transpose(x, [...Array.from({ length: rank - 2 }, (_, axis) => axis), rank - 1, rank - 2]);
}

/** Sums over the axes that broadcasting added or stretched, so that the result has `shape`. */
export function sumTo(x: Tensor, shape: Shape): Tensor {
  const extra = x.shape.length - shape.length;
  const axes: number[] = [];
  for (const [axis, dim] of x.shape.entries()) {
    if (axis < extra || (shape[axis - extra] === 1 && dim !== 1)) axes.push(axis);
  }
  return reshape(axes.length > 0 ? reduceSum(x, axes, true) : x, shape);
}
