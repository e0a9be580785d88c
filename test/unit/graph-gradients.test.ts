import { describe, expect, it } from 'vitest';
import type { OpName } from '../../training/graph/op-table.ts';
import * as ops from '../../training/graph/ops.ts';
import type { Tensor } from '../../training/graph/tensor.ts';
import { type GradientCase, gradientError } from '../support/finite-differences.ts';

const two = (op: (a: Tensor, b: Tensor) => Tensor): GradientCase['build'] => {
  return (_, [a, b]) => op(a as Tensor, b as Tensor);
};
const one = (op: (x: Tensor) => Tensor): GradientCase['build'] => {
  return (_, [x]) => op(x as Tensor);
};
const broadcasts = (
  op: (a: Tensor, b: Tensor) => Tensor,
  range: readonly [number, number] = [-1.5, 1.5],
): GradientCase[] => [
  {
    operands: [
      [2, 3],
      [2, 3],
    ],
    range,
    build: two(op),
  },
  { operands: [[2, 3, 4], [4]], range, build: two(op) },
  {
    operands: [
      ['B', 1, 4],
      [3, 1],
    ],
    sizes: { B: 2 },
    range,
    build: two(op),
  },
  { operands: [[], [2, 2]], range, build: two(op) },
];
const reductions = (op: (x: Tensor, axes: readonly number[], keepDims?: boolean) => Tensor): GradientCase[] => [
  { operands: [[2, 3, 4]], build: one((x) => op(x, [1])) },
  { operands: [[2, 3, 4]], build: one((x) => op(x, [0, -1], true)) },
];
const indices = (graph: Parameters<GradientCase['build']>[0], values: number[], shape: number[]) =>
  graph.constant(Int32Array.from(values), shape);

/** Gradient cases of every operator; `none` says that no gradient flows through it. */
const CASES: { readonly [O in OpName]: readonly GradientCase[] | 'none' } = {
  Add: broadcasts(ops.add),
  Sub: broadcasts(ops.sub),
  Mul: broadcasts(ops.mul),
  Div: broadcasts(ops.div, [0.8, 2]),
  Pow: broadcasts(ops.pow, [0.5, 2]),
  Mod: 'none',
  Neg: [{ operands: [[2, 3]], build: one(ops.neg) }],
  Abs: [
    { operands: [[2, 3]], range: [0.2, 1], build: one(ops.abs) },
    { operands: [[2, 3]], range: [-1, -0.2], build: one(ops.abs) },
  ],
  Exp: [{ operands: [[2, 3]], build: one(ops.exp) }],
  Log: [{ operands: [[2, 3]], range: [0.5, 2], build: one(ops.log) }],
  Sqrt: [{ operands: [[2, 3]], range: [0.5, 2], build: one(ops.sqrt) }],
  Sigmoid: [{ operands: [[2, 3]], range: [-4, 4], build: one(ops.sigmoid) }],
  Tanh: [{ operands: [[2, 3]], build: one(ops.tanh) }],
  Erf: [{ operands: [[2, 3]], build: one(ops.erf) }],
  Relu: [
    { operands: [[2, 3]], range: [0.2, 1], build: one(ops.relu) },
    { operands: [[2]], range: [-1, -0.2], build: one((x) => ops.add(ops.relu(x), x)) },
  ],
  Gelu: [{ operands: [[4, 5]], range: [-4, 4], build: one(ops.gelu) }],
  Softplus: [{ operands: [[2, 3]], range: [-4, 4], build: one(ops.softplus) }],
  MatMul: [
    {
      operands: [
        [3, 4],
        [4, 2],
      ],
      build: two(ops.matmul),
    },
    {
      operands: [
        ['B', 3, 4],
        [4, 2],
      ],
      sizes: { B: 2 },
      build: two(ops.matmul),
    },
    {
      operands: [
        [2, 1, 3, 4],
        [2, 4, 2],
      ],
      build: two(ops.matmul),
    },
  ],
  Gemm: [false, true].flatMap((transA) =>
    [false, true].map(
      (transB): GradientCase => ({
        operands: [transA ? [4, 3] : [3, 4], transB ? [2, 4] : [4, 2], [2]],
        build: (_, [a, b, c]) => ops.gemm(a as Tensor, b as Tensor, c as Tensor, transA, transB),
      }),
    ),
  ),
  Softmax: [{ operands: [[2, 3, 4]], build: one(ops.softmax) }],
  LogSoftmax: [{ operands: [[2, 3, 4]], build: one(ops.logSoftmax) }],
  LayerNormalization: [
    {
      operands: [['N', 6], [6], [6]],
      sizes: { N: 3 },
      build: (_, [x, s, b]) => ops.layerNormalization(x as Tensor, s as Tensor, b as Tensor),
    },
  ],
  ReduceSum: reductions(ops.reduceSum),
  ReduceMean: reductions(ops.reduceMean),
  ReduceMax: [
    {
      operands: [[3, 5]],
      seed: 3,
      build: one((x) => ops.reduceMax(ops.add(x, ops.mul(ops.cast(ops.iota(x.graph, 5), 'float32'), 4)), [1])),
    },
  ],
  ReduceLogSumExp: reductions(ops.reduceLogSumExp),
  Gather: [
    {
      operands: [[5, 3]],
      build: (graph, [table]) => ops.gather(table as Tensor, indices(graph, [0, 4, 4, 1], [2, 2])),
    },
  ],
  ScatterAdd: [
    {
      operands: [
        [5, 3],
        [2, 2, 3],
      ],
      build: (graph, [t, u]) => ops.scatterAdd(t as Tensor, indices(graph, [0, 4, 4, 1], [2, 2]), u as Tensor),
    },
  ],
  Concat: [
    {
      operands: [
        [2, 3],
        [2, 1],
      ],
      build: (_, tensors) => ops.concat(tensors, 1),
    },
  ],
  Slice: [
    { operands: [[2, 5]], build: one((x) => ops.slice(x, 1, 1, 4)) },
    { operands: [[3, 'T']], sizes: { T: 2 }, build: one((x) => ops.slice(x, 0, 0, 2)) },
  ],
  Transpose: [
    { operands: [[2, 3, 4]], build: one((x) => ops.mul(ops.transpose(x, [2, 0, 1]), ops.transpose(x, [2, 0, 1]))) },
  ],
  Reshape: [{ operands: [['B', 4]], sizes: { B: 3 }, build: one((x) => ops.exp(ops.reshape(x, ['B', 2, 2]))) }],
  Expand: [{ operands: [[3, 1]], build: one((x) => ops.exp(ops.expand(x, [2, 3, 4]))) }],
  Where: [
    {
      operands: [[2, 3], [3]],
      build: (graph, [a, b]) => {
        const even = ops.equal(ops.mod(ops.iota(graph, 3), 2), 0);
        return ops.where(even, ops.mul(a as Tensor, 3), ops.mul(b as Tensor, b as Tensor));
      },
    },
  ],
  Cast: 'none',
  Equal: 'none',
  Greater: 'none',
  Zeros: 'none',
  Iota: 'none',
};

describe('gradient rules against central differences', () => {
  for (const [op, cases] of Object.entries(CASES)) {
    if (cases === 'none') continue;
    for (const [index, gradientCase] of cases.entries()) {
      it(`${op} ${index}`, async () => {
        expect(await gradientError(gradientCase)).toBeLessThan(1e-3);
      });
    }
  }
});
