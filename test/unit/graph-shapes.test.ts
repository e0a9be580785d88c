import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Graph } from '../../training/graph/graph.ts';
import * as ops from '../../training/graph/ops.ts';
import { broadcastShapes, ShapeError } from '../../training/graph/shapes.ts';
import type { DType, Shape, Tensor } from '../../training/graph/tensor.ts';
import { evaluateGraph, type Values } from '../support/evaluate-graph.ts';

function build(shapes: readonly Shape[], op: (...tensors: Tensor[]) => Tensor, dtypes: readonly DType[] = []): Tensor {
  const graph = new Graph();
  return op(...shapes.map((shape, index) => graph.input(`x${index}`, dtypes[index] ?? 'float32', shape)));
}

describe('broadcasting', () => {
  it.each<[Shape, Shape, Shape]>([
    [[2, 3], [3], [2, 3]],
    [[], [4], [4]],
    [
      [2, 1, 4],
      [3, 1],
      [2, 3, 4],
    ],
    [
      ['B', 'T', 8],
      ['T', 1],
      ['B', 'T', 8],
    ],
    [
      ['B', 1],
      [1, 'T'],
      ['B', 'T'],
    ],
  ])('%j with %j is %j, both ways', (a, b, expected) => {
    expect(broadcastShapes(a, b)).toEqual(expected);
    expect(broadcastShapes(b, a)).toEqual(expected);
  });

  it.each<[Shape, Shape]>([
    [[2, 3], [2]],
    [['B'], ['T']],
    [['B'], [2]],
  ])('%j with %j is refused, and the error shows both', (a, b) => {
    expect(() => broadcastShapes(a, b)).toThrow(
      new ShapeError(`cannot broadcast [${a.join(', ')}] with [${b.join(', ')}]`),
    );
  });

  it('is what onnxruntime does', async () => {
    const side = fc.array(fc.integer({ min: 1, max: 3 }), { maxLength: 3 });
    await fc.assert(
      fc.asyncProperty(side, side, async (a, b) => {
        const graph = new Graph();
        const values: Values = {
          a: [new Float32Array(a.reduce((n, dim) => n * dim, 1)), a],
          b: [new Float32Array(b.reduce((n, dim) => n * dim, 1)), b],
        };
        const [left, right] = [graph.input('a', 'float32', a), graph.input('b', 'float32', b)];
        let sum: Tensor;
        try {
          sum = ops.add(left, right);
        } catch (error) {
          expect(error).toBeInstanceOf(ShapeError);
          return;
        }
        expect((await evaluateGraph(graph, { sum }, values))['sum']?.dims).toEqual(sum.shape);
      }),
      { numRuns: 40 },
    );
  });
});

describe('shapes of results', () => {
  it.each<[string, Shape, () => Tensor]>([
    [
      'batched MatMul',
      ['B', 2, 3, 5],
      () =>
        build(
          [
            ['B', 1, 3, 4],
            [2, 4, 5],
          ],
          ops.matmul,
        ),
    ],
    [
      'Gemm of transposed operands',
      [3, 5],
      () => build([[4, 3], [5, 4], [5]], (a, b, c) => ops.gemm(a, b, c, true, true)),
    ],
    ['ReduceSum', ['B', 4], () => build([['B', 'T', 4]], (x) => ops.reduceSum(x, [1]))],
    ['ReduceSum with kept axes', ['B', 1, 1], () => build([['B', 'T', 4]], (x) => ops.reduceSum(x, [-2, -1], true))],
    [
      'Gather',
      ['B', 'T', 8],
      () =>
        build(
          [
            [100, 8],
            ['B', 'T'],
          ],
          ops.gather,
          ['float32', 'int32'],
        ),
    ],
    [
      'Concat',
      ['B', 5],
      () =>
        build(
          [
            ['B', 2],
            ['B', 3],
          ],
          (...tensors) => ops.concat(tensors, -1),
        ),
    ],
    ['Slice', ['B', 2], () => build([['B', 5]], (x) => ops.slice(x, -1, 1, 3))],
    ['Transpose', [4, 'B', 'T'], () => build([['B', 'T', 4]], (x) => ops.transpose(x, [2, 0, 1]))],
    ['Where', [2, 3], () => build([[2, 1], [3], []], ops.where, ['bool'])],
    ['Iota', ['T'], () => ops.iota(new Graph(), 'T')],
  ])('%s: %j', (_, shape, make) => {
    expect(make().shape).toEqual(shape);
  });

  it('comparison gives bool and Cast the wanted type', () => {
    expect(build([[2]], (x) => ops.greater(x, 0)).dtype).toBe('bool');
    expect(build([[2]], (x) => ops.cast(ops.greater(x, 0), 'int64')).dtype).toBe('int64');
  });
});

describe('an operator refuses what does not fit and says why', () => {
  it.each<[string, () => Tensor, RegExp]>([
    ['Add', () => build([[2, 3], [4]], ops.add), /cannot broadcast \[2, 3\] with \[4\]/],
    [
      'MatMul',
      () =>
        build(
          [
            [2, 3],
            [4, 5],
          ],
          ops.matmul,
        ),
      /MatMul of \[2, 3\] and \[4, 5\]/,
    ],
    ['MatMul of a vector', () => build([[3], [3, 5]], ops.matmul), /MatMul of \[3\] and \[3, 5\]/],
    [
      'Gemm',
      () =>
        build(
          [
            [3, 4],
            [4, 5],
          ],
          (a, b) => ops.gemm(a, b, undefined, true),
        ),
      /Gemm of \[3, 4\]ᵀ and \[4, 5\]/,
    ],
    [
      'the bias of Gemm',
      () =>
        build(
          [
            [3, 4],
            [4, 5],
            [3, 1, 5],
          ],
          (a, b, bias) => ops.gemm(a, b, bias),
        ),
      /\[3, 1, 5\] does not fit \[3, 5\]/,
    ],
    ['Reshape', () => build([[2, 3]], (x) => ops.reshape(x, [4])), /cannot reshape \[2, 3\] to \[4\]/],
    ['Expand', () => build([[2, 3]], (x) => ops.expand(x, [2, 1])), /cannot expand \[2, 3\] to \[2, 1\]/],
    [
      'LayerNormalization',
      () => build([[2, 3], [2], [3]], (x, scale, bias) => ops.layerNormalization(x, scale, bias)),
      /LayerNormalization of \[2, 3\] with scale \[2\]/,
    ],
    [
      'Concat',
      () =>
        build(
          [
            [2, 3],
            [3, 3],
          ],
          (...tensors) => ops.concat(tensors, 1),
        ),
      /Concat of \[2, 3\] \[3, 3\] along axis 1/,
    ],
    ['Concat along T', () => build([['T'], ['T']], (...tensors) => ops.concat(tensors, 0)), /symbolic dimension/],
    ['Slice', () => build([[2, 3]], (x) => ops.slice(x, 1, 2, 4)), /Slice \[2, 4\) of \[2, 3\] along axis 1/],
    ['Slice along T', () => build([['T']], (x) => ops.slice(x, 0, 0, 1)), /of \[T\] along axis 0/],
    ['Transpose', () => build([[2, 3]], (x) => ops.transpose(x, [0, 0])), /Transpose of \[2, 3\] by \[0, 0\]/],
    [
      'ScatterAdd',
      () => build([[5, 3], [2], [2, 4]], ops.scatterAdd, ['float32', 'int32']),
      /ScatterAdd of \[2, 4\] at \[2\]/,
    ],
    ['ReduceMean over T', () => build([['T', 2]], (x) => ops.reduceMean(x, [0])), /ReduceMean over a symbolic dim/],
    ['an axis outside', () => build([[2, 3]], (x) => ops.reduceSum(x, [2])), /axis 2 is outside a tensor of rank 2/],
    ['Exp of integers', () => build([[2]], ops.exp, ['int32']), /x0 is int32, expected float32/],
    ['mixed types', () => build([[2], [2]], ops.add, ['float32', 'int64']), /x1 is int64, expected float32/],
    ['Gather by floats', () => build([[5, 3], [2]], ops.gather), /x1 is float32, expected int32 or int64/],
    ['Where by floats', () => build([[2], [2], [2]], ops.where), /x0 is float32, expected bool/],
  ])('%s', (_, make, message) => {
    expect(make).toThrow(message);
  });

  it('a tensor of another graph', () => {
    const [a, b] = [new Graph().input('a', 'float32', [2]), new Graph().input('b', 'float32', [2])];
    expect(() => ops.add(a, b)).toThrow(/Add: b belongs to another graph/);
  });

  it('a name that is taken', () => {
    const graph = new Graph();
    graph.input('x', 'float32', [2]);
    expect(() => graph.parameter('x', [2], () => {}, true)).toThrow(/the name x is taken/);
  });

  it('a constant whose shape is not its size', () => {
    expect(() => new Graph().constant(Float32Array.of(1, 2, 3), [2, 2])).toThrow(/3 values with shape \[2,2\]/);
  });
});
