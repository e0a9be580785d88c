import { describe, expect, it } from 'vitest';
import { Graph } from '../../training/graph/graph.ts';
import { toOnnx } from '../../training/graph/lower.ts';
import * as ops from '../../training/graph/ops.ts';
import { GraphSession, toTensor } from '../../training/graph/session.ts';
import type { Tensor } from '../../training/graph/tensor.ts';
import { evaluateGraph, evaluateModel, type Values } from '../support/evaluate-graph.ts';

const matrix = (...data: number[]): Float32Array => Float32Array.from(data);

describe('onnxruntime reads what is written and computes', () => {
  const x: Values = { x: [matrix(1, -2, 3, 4, 5, -6), [2, 3]] };
  it.each<[string, (graph: Graph, x: Tensor) => Tensor, number[], number[]]>([
    ['Mod', (graph) => ops.mod(ops.iota(graph, 5), 3), [0, 1, 2, 0, 1], [5]],
    ['ReduceMax', (_, x) => ops.reduceMax(x, [1]), [3, 5], [2]],
    ['ReduceMean', (_, x) => ops.reduceMean(x, [0], true), [2.5, 1.5, -1.5], [1, 3]],
    ['Relu', (_, x) => ops.relu(x), [1, 0, 3, 4, 5, 0], [2, 3]],
    ['Transpose', (_, x) => ops.transposeMatrix(x), [1, 4, -2, 5, 3, -6], [3, 2]],
    ['Slice', (_, x) => ops.slice(x, 1, 1, 3), [-2, 3, 5, -6], [2, 2]],
    ['Concat', (_, x) => ops.concat([x, x], 0), [1, -2, 3, 4, 5, -6, 1, -2, 3, 4, 5, -6], [4, 3]],
    ['Where', (_, x) => ops.where(ops.greater(x, 0), x, 9), [1, 9, 3, 4, 5, 9], [2, 3]],
    ['Expand', (_, x) => ops.expand(ops.slice(x, 0, 0, 1), [2, 3]), [1, -2, 3, 1, -2, 3], [2, 3]],
    ['Zeros', (graph, x) => ops.add(x, ops.zeros(graph, [2, 3])), [1, -2, 3, 4, 5, -6], [2, 3]],
    ['Gather', (graph, x) => ops.gather(x, graph.constant(Int32Array.of(1, 1), [2])), [4, 5, -6, 4, 5, -6], [2, 3]],
    [
      'ScatterAdd, twice into one row',
      (graph, x) => ops.scatterAdd(ops.zeros(graph, [3, 3]), graph.constant(Int32Array.of(2, 2), [2]), x),
      [0, 0, 0, 0, 0, 0, 5, 3, -3],
      [3, 3],
    ],
    ['Cast', (_, x) => ops.cast(ops.greater(x, 0), 'int32'), [1, 0, 1, 1, 1, 0], [2, 3]],
    ['Equal', (_, x) => ops.cast(ops.equal(x, 4), 'float32'), [0, 0, 0, 1, 0, 0], [2, 3]],
  ])('%s', async (_, build, data, dims) => {
    const graph = new Graph();
    const input = graph.input('x', 'float32', [2, 3]);
    expect((await evaluateGraph(graph, { y: build(graph, input) }, x))['y']).toEqual({ data, dims });
  });

  it('an input, a parameter and a constant can be outputs themselves', async () => {
    const graph = new Graph();
    const input = graph.input('x', 'float32', ['N']);
    const weight = graph.parameter('weight', [1], () => {}, false);
    const outputs = { a: input, b: weight, c: graph.constant(7) };
    const results = await evaluateGraph(graph, outputs, { x: [matrix(1, 2), [2]], weight: [matrix(3), [1]] });
    expect(results).toMatchObject({ a: { data: [1, 2] }, b: { data: [3] }, c: { data: [7], dims: [] } });
  });
});

describe('sizes known only at run time', () => {
  it('are measured where they first occur, for every run anew', async () => {
    const graph = new Graph();
    const x = graph.input('x', 'float32', ['B', 'T', 4]);
    const split = ops.transpose(ops.reshape(x, ['B', 'T', 2, 2]), [0, 2, 1, 3]);
    const flat = ops.reshape(split, ['N', 2]);
    const back = ops.reshape(ops.transpose(ops.reshape(flat, ['B', 2, 'T', 2]), [0, 2, 1, 3]), ['B', 'T', 4]);
    const positions = ops.cast(ops.iota(graph, 'T'), 'float32');
    for (const [b, t] of [
      [1, 3],
      [4, 2],
    ] as const) {
      const data = Float32Array.from({ length: b * t * 4 }, (_, i) => i);
      const results = await evaluateGraph(graph, { back, flat, positions }, { x: [data, [b, t, 4]] });
      expect(results['back']).toEqual({ data: [...data], dims: [b, t, 4] });
      expect(results['flat']?.dims).toEqual([b * t * 2, 2]);
      expect(results['positions']?.data).toEqual([...Array(t).keys()]);
    }
  });

  it('an input that is only measured stays an input', async () => {
    const graph = new Graph();
    graph.input('mask', 'int32', ['B', 'T']);
    const model = toOnnx(graph, { outputs: { y: ops.iota(graph, 'T') } });
    expect(model.inputs.map(({ name }) => name)).toEqual(['mask']);
    const { y } = await evaluateModel(model, { mask: [new Int32Array(6), [2, 3]] });
    expect(y?.data).toEqual([0, 1, 2]);
  });

  it('a size that nothing has is named', () => {
    const graph = new Graph();
    expect(() => toOnnx(graph, { outputs: { y: ops.zeros(graph, ['K']) } })).toThrow(/has the dimension K/);
  });
});

describe('parameters', () => {
  const graph = new Graph();
  const x = graph.input('x', 'float32', ['N', 2]);
  const weight = graph.parameter('weight', [2, 1], () => {}, true);
  graph.parameter('unused', [3], () => {}, true);
  const outputs = { y: ops.gemm(x, weight) };

  it('are inputs while training, only those that are used', () => {
    expect(toOnnx(graph, { outputs }).inputs).toEqual([
      { name: 'x', type: 'float32', shape: ['N', 2] },
      { name: 'weight', type: 'float32', shape: [2, 1] },
    ]);
  });

  it('are baked in for serving', async () => {
    const model = toOnnx(graph, { outputs, parameters: new Map([['weight', matrix(2, 3)]]) });
    expect(model.inputs.map(({ name }) => name)).toEqual(['x']);
    expect((await evaluateModel(model, { x: [matrix(1, 1, 10, 1), [2, 2]] }))['y']?.data).toEqual([5, 23]);
  });

  it('without a value are named', () => {
    expect(() => toOnnx(graph, { outputs, parameters: new Map() })).toThrow(/no value for the parameter weight/);
  });
});

it('a session writes outputs into the memory it is given and reads feeds where they lie', async () => {
  const graph = new Graph();
  const x = graph.input('x', 'float32', [3]);
  const session = await GraphSession.create(toOnnx(graph, { outputs: { y: ops.mul(x, 2) } }), { threads: 1 });
  const input = matrix(1, 2, 3);
  const output = new Float32Array(3);
  const [feeds, into] = [{ x: toTensor(input, [3]) }, { y: toTensor(output, [3]) }];
  await session.run(feeds, into);
  expect([...output]).toEqual([2, 4, 6]);
  input[0] = 5;
  await session.run(feeds, into);
  expect([...output]).toEqual([10, 4, 6]);
  await session.release();
});
