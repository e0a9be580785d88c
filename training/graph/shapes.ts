import type { OpAttributes, OpName } from './op-table.ts';
import { type Dim, type DType, type Shape, sameShape, showShape, type Tensor, toAxis } from './tensor.ts';

export interface TensorType {
  readonly dtype: DType;
  readonly shape: Shape;
}

export class ShapeError extends Error {
  override readonly name = 'ShapeError';
}

type ShapeRule<O extends OpName> = (inputs: readonly Tensor[], attributes: OpAttributes[O]) => readonly TensorType[];

/** NumPy broadcasting. Two different symbolic sizes never broadcast, since nothing says they are equal. */
export function broadcastShapes(a: Shape, b: Shape): Shape {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, axis) => {
    const left = a[axis - rank + a.length] ?? 1;
    const right = b[axis - rank + b.length] ?? 1;
    if (left === right || right === 1) return left;
    if (left === 1) return right;
    throw new ShapeError(`cannot broadcast ${showShape(a)} with ${showShape(b)}`);
  });
}

function elements(shape: Shape): number | undefined {
  return shape.every((dim) => typeof dim === 'number')
    ? shape.reduce((n: number, dim) => n * (dim as number), 1)
    : undefined;
}

function input(inputs: readonly Tensor[], index: number): Tensor {
  const tensor = inputs[index];
  if (!tensor) throw new ShapeError(`operand ${index} is missing`);
  return tensor;
}

function expectDtype(tensor: Tensor, ...dtypes: readonly DType[]): void {
  if (!dtypes.includes(tensor.dtype)) {
    throw new ShapeError(`${tensor.name} is ${tensor.dtype}, expected ${dtypes.join(' or ')}`);
  }
}

const unaryFloat = (inputs: readonly Tensor[]): readonly TensorType[] => {
  const x = input(inputs, 0);
  expectDtype(x, 'float32');
  return [{ dtype: 'float32', shape: x.shape }];
};

function binary(dtypes: readonly DType[], result?: DType) {
  return (inputs: readonly Tensor[]): readonly TensorType[] => {
    const [a, b] = [input(inputs, 0), input(inputs, 1)];
    expectDtype(a, ...dtypes);
    expectDtype(b, a.dtype);
    return [{ dtype: result ?? a.dtype, shape: broadcastShapes(a.shape, b.shape) }];
  };
}

const numeric = ['float32', 'int32', 'int64'] as const;

function reduce(inputs: readonly Tensor[], { axes, keepDims }: OpAttributes['ReduceSum']): readonly TensorType[] {
  const x = input(inputs, 0);
  expectDtype(x, 'float32');
  const reduced = new Set(axes.map((axis) => toAxis(axis, x.shape.length)));
  const shape = keepDims
    ? x.shape.map((dim, axis) => (reduced.has(axis) ? 1 : dim))
    : x.shape.filter((_, axis) => !reduced.has(axis));
  return [{ dtype: 'float32', shape }];
}

function matmul(inputs: readonly Tensor[]): readonly TensorType[] {
  const [a, b] = [input(inputs, 0), input(inputs, 1)];
  expectDtype(a, 'float32');
  expectDtype(b, 'float32');
  const [rows, inner] = a.shape.slice(-2);
  const [otherInner, columns] = b.shape.slice(-2);
  if (a.shape.length < 2 || b.shape.length < 2 || inner !== otherInner) {
    throw new ShapeError(`MatMul of ${showShape(a.shape)} and ${showShape(b.shape)}`);
  }
  const batch = broadcastShapes(a.shape.slice(0, -2), b.shape.slice(0, -2));
  return [{ dtype: 'float32', shape: [...batch, rows as Dim, columns as Dim] }];
}

function gemm(inputs: readonly Tensor[], { transA, transB }: OpAttributes['Gemm']): readonly TensorType[] {
  const [a, b, c] = [input(inputs, 0), input(inputs, 1), inputs[2]];
  if (a.shape.length !== 2 || b.shape.length !== 2) throw new ShapeError('Gemm takes matrices');
  const [rows, inner] = transA ? [a.shape[1], a.shape[0]] : a.shape;
  const [otherInner, columns] = transB ? [b.shape[1], b.shape[0]] : b.shape;
  if (inner !== otherInner) {
    throw new ShapeError(
      `Gemm of ${showShape(a.shape)}${transA ? 'ᵀ' : ''} and ${showShape(b.shape)}${transB ? 'ᵀ' : ''}`,
    );
  }
  const shape = [rows as Dim, columns as Dim];
  if (c && !sameShape(broadcastShapes(shape, c.shape), shape)) {
    throw new ShapeError(`Gemm bias ${showShape(c.shape)} does not fit ${showShape(shape)}`);
  }
  return [{ dtype: 'float32', shape }];
}

function reshape(inputs: readonly Tensor[], { shape }: OpAttributes['Reshape']): readonly TensorType[] {
  const x = input(inputs, 0);
  const [before, after] = [elements(x.shape), elements(shape)];
  if (before !== undefined && after !== undefined && before !== after) {
    throw new ShapeError(`cannot reshape ${showShape(x.shape)} to ${showShape(shape)}`);
  }
  return [{ dtype: x.dtype, shape }];
}

function expand(inputs: readonly Tensor[], { shape }: OpAttributes['Expand']): readonly TensorType[] {
  const x = input(inputs, 0);
  if (!sameShape(broadcastShapes(x.shape, shape), shape)) {
    throw new ShapeError(`cannot expand ${showShape(x.shape)} to ${showShape(shape)}`);
  }
  return [{ dtype: x.dtype, shape }];
}

/** Output types of every operator; a missing rule does not compile. */
export const SHAPE_RULES: { readonly [O in OpName]: ShapeRule<O> } = {
  Add: binary(numeric),
  Sub: binary(numeric),
  Mul: binary(numeric),
  Div: binary(['float32']),
  Pow: binary(['float32']),
  Mod: binary(['int32', 'int64']),
  Neg: unaryFloat,
  Abs: unaryFloat,
  Exp: unaryFloat,
  Log: unaryFloat,
  Sqrt: unaryFloat,
  Sigmoid: unaryFloat,
  Tanh: unaryFloat,
  Erf: unaryFloat,
  Relu: unaryFloat,
  Gelu: unaryFloat,
  Softplus: unaryFloat,
  MatMul: matmul,
  Gemm: gemm,
  Softmax: unaryFloat,
  LogSoftmax: unaryFloat,
  LayerNormalization: (inputs) => {
    const [x, scale, bias] = [input(inputs, 0), input(inputs, 1), input(inputs, 2)];
    const width = x.shape.at(-1) as Dim;
    if (!sameShape(scale.shape, [width]) || !sameShape(bias.shape, [width])) {
      throw new ShapeError(`LayerNormalization of ${showShape(x.shape)} with scale ${showShape(scale.shape)}`);
    }
    const statistics = { dtype: 'float32', shape: [...x.shape.slice(0, -1), 1] } as const;
    return [{ dtype: 'float32', shape: x.shape }, statistics, statistics];
  },
  ReduceSum: reduce,
  ReduceMean: (inputs, attributes) => {
    const x = input(inputs, 0);
    for (const axis of attributes.axes) {
      if (typeof x.shape[toAxis(axis, x.shape.length)] !== 'number') {
        throw new ShapeError('ReduceMean over a symbolic dimension: use ReduceSum and a fed divisor');
      }
    }
    return reduce(inputs, attributes);
  },
  ReduceMax: reduce,
  ReduceLogSumExp: reduce,
  Gather: (inputs) => {
    const [table, indices] = [input(inputs, 0), input(inputs, 1)];
    expectDtype(indices, 'int32', 'int64');
    return [{ dtype: table.dtype, shape: [...indices.shape, ...table.shape.slice(1)] }];
  },
  ScatterAdd: (inputs) => {
    const [table, indices, updates] = [input(inputs, 0), input(inputs, 1), input(inputs, 2)];
    expectDtype(indices, 'int32', 'int64');
    if (!sameShape(updates.shape, [...indices.shape, ...table.shape.slice(1)])) {
      throw new ShapeError(`ScatterAdd of ${showShape(updates.shape)} at ${showShape(indices.shape)}`);
    }
    return [{ dtype: table.dtype, shape: table.shape }];
  },
  Concat: (inputs, { axis }) => {
    const first = input(inputs, 0);
    const along = toAxis(axis, first.shape.length);
    let size = 0;
    for (const tensor of inputs) {
      const dim = tensor.shape[along];
      const others = tensor.shape.map((d, i) => (i === along ? first.shape[along] : d) as Dim);
      if (!sameShape(others, first.shape)) {
        throw new ShapeError(`Concat of ${inputs.map((t) => showShape(t.shape)).join(' ')} along axis ${along}`);
      }
      if (typeof dim !== 'number') throw new ShapeError('Concat along a symbolic dimension');
      size += dim;
    }
    return [{ dtype: first.dtype, shape: first.shape.map((dim, i) => (i === along ? size : dim)) }];
  },
  Slice: (inputs, { axis, start, end }) => {
    const x = input(inputs, 0);
    const along = toAxis(axis, x.shape.length);
    const size = x.shape[along];
    if (typeof size !== 'number' || start < 0 || end > size || start >= end) {
      throw new ShapeError(`Slice [${start}, ${end}) of ${showShape(x.shape)} along axis ${along}`);
    }
    return [{ dtype: x.dtype, shape: x.shape.map((dim, i) => (i === along ? end - start : dim)) }];
  },
  Transpose: (inputs, { perm }) => {
    const x = input(inputs, 0);
    if ([...perm].sort((a, b) => a - b).some((axis, i) => axis !== i) || perm.length !== x.shape.length) {
      throw new ShapeError(`Transpose of ${showShape(x.shape)} by ${showShape(perm)}`);
    }
    return [{ dtype: x.dtype, shape: perm.map((axis) => x.shape[axis] as Dim) }];
  },
  Reshape: reshape,
  Expand: expand,
  Where: (inputs) => {
    const [condition, a, b] = [input(inputs, 0), input(inputs, 1), input(inputs, 2)];
    expectDtype(condition, 'bool');
    expectDtype(b, a.dtype);
    return [{ dtype: a.dtype, shape: broadcastShapes(broadcastShapes(a.shape, b.shape), condition.shape) }];
  },
  Cast: (inputs, { to }) => [{ dtype: to, shape: input(inputs, 0).shape }],
  Equal: binary(numeric, 'bool'),
  Greater: binary(numeric, 'bool'),
  Zeros: (_, { shape }) => [{ dtype: 'float32', shape }],
  Iota: (_, { size }) => [{ dtype: 'int64', shape: [size] }],
};
