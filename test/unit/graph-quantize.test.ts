import { describe, expect, it } from 'vitest';
import { Graph } from '../../training/graph/graph.ts';
import { toOnnx } from '../../training/graph/lower.ts';
import type { OnnxModel } from '../../training/graph/onnx.ts';
import * as ops from '../../training/graph/ops.ts';
import { quantizeDynamic } from '../../training/graph/quantize.ts';
import type { Tensor } from '../../training/graph/tensor.ts';
import { linear } from '../../training/models/layers.ts';
import { Scope } from '../../training/models/scope.ts';
import { gaussian, seededRandom } from '../../training/random.ts';
import { evaluateModel, type Values } from '../support/evaluate-graph.ts';

const OPTIONS = { range: 127, minSize: 32 } as const;
const ROWS = 1_200;

/** Table rows [N, 64] -> two products without anything between them -> a small head; every parameter drawn at random. */
function model(build: (graph: Graph, scope: Scope, x: Tensor) => Tensor): OnnxModel {
  const graph = new Graph();
  const scope = new Scope(graph);
  const ids = graph.input('ids', 'int32', ['N']);
  const table = scope.matrix('table', [ROWS, 64], 1);
  const y = build(graph, scope, ops.gather(table, ids));
  const random = seededRandom(5);
  const parameters = new Map<string, Float32Array>();
  for (const { tensor, initialise } of graph.parameters) {
    const values = new Float32Array((tensor.shape as number[]).reduce((n, dim) => n * dim, 1));
    initialise(values, random);
    if (tensor.name.endsWith('bias')) for (let i = 0; i < values.length; i++) values[i] = gaussian(random);
    parameters.set(tensor.name, values);
  }
  return toOnnx(graph, { outputs: { y }, parameters });
}

const chain = model((_, scope, x) => {
  const hidden = ops.gelu(linear(scope.at('second'), linear(scope.at('first'), x, 96), 48));
  return linear(scope.at('head'), hidden, 12);
});
const IDS: Values = { ids: [Int32Array.from({ length: 40 }, (_, i) => (i * 37) % ROWS), [40]] };

const bytes = (model: OnnxModel): number => model.initializers.reduce((sum, { data }) => sum + data.byteLength, 0);
const initializer = (model: OnnxModel, name: string) => model.initializers.find((each) => each.name === name);

describe('an int8 model', () => {
  it.each([63, 127] as const)('with weights up to %i stays close to the float one', async (range) => {
    const expected = (await evaluateModel(chain, IDS))['y']?.data as number[];
    const actual = (await evaluateModel(quantizeDynamic(chain, { ...OPTIONS, range }), IDS))['y']?.data as number[];
    const norm = (values: readonly number[]): number => Math.hypot(...values);
    const error = norm(actual.map((value, i) => value - (expected[i] as number))) / norm(expected);
    expect(error).toBeGreaterThan(0);
    expect(error).toBeLessThan(0.03);
  });

  it('is about a quarter of the size', () => {
    expect(bytes(quantizeDynamic(chain, OPTIONS))).toBeLessThan(0.3 * bytes(chain));
  });

  it('keeps small weights and biases in float and no float copy of big ones', () => {
    const names = quantizeDynamic(chain, OPTIONS).initializers.map(({ name, type }) => `${name} ${type}`);
    expect(names).toContain('head.weight float32');
    expect(names).toContain('first.bias float32');
    for (const name of ['table', 'first.weight', 'second.weight']) {
      expect(names).toContain(`${name}:int8 int8`);
      expect(names).not.toContain(`${name} float32`);
    }
  });

  it('uses the standard operator set only', () => {
    const ops = new Set(quantizeDynamic(chain, OPTIONS).nodes.map(({ op }) => op));
    const added = ['DynamicQuantizeLinear', 'MatMulInteger', 'Cast', 'Mul', 'Add'];
    expect([...ops].sort()).toEqual([...new Set([...added, 'Gather', 'Gelu', 'Gemm', 'Identity'])].sort());
  });

  it('has int8 weights within half a step of the float ones, each column with its own scale', () => {
    const weight = initializer(chain, 'first.weight')?.data as Float32Array;
    const quantized = quantizeDynamic(chain, OPTIONS);
    const values = initializer(quantized, 'first.weight:int8')?.data as Int8Array;
    const scales = initializer(quantized, 'first.weight:scale')?.data as Float32Array;
    expect(scales).toHaveLength(96);
    for (const [i, value] of values.entries()) {
      const scale = scales[i % 96] as number;
      expect(Math.abs(value * scale - (weight[i] as number))).toBeLessThanOrEqual(0.5001 * scale);
    }
    expect(Math.max(...values.map(Math.abs))).toBe(127);
  });

  it('leaves the given model as it was', async () => {
    const before = (await evaluateModel(chain, IDS))['y'];
    quantizeDynamic(chain, OPTIONS);
    expect((await evaluateModel(chain, IDS))['y']).toEqual(before);
  });
});

it('an input of several products is quantised once', async () => {
  const parallel = model((_, scope, x) =>
    ops.add(linear(scope.at('query'), x, 64), ops.mul(linear(scope.at('key'), x, 64), 2)),
  );
  const quantized = quantizeDynamic(parallel, OPTIONS);
  expect(quantized.nodes.filter(({ op }) => op === 'DynamicQuantizeLinear')).toHaveLength(1);
  expect(quantized.nodes.filter(({ op }) => op === 'MatMulInteger')).toHaveLength(2);
  await evaluateModel(quantized, IDS);
});

it('a column of zeros stays zero', async () => {
  const graph = new Graph();
  const x = graph.input('x', 'float32', ['N', 32]);
  const weight = graph.parameter('weight', [32, 32], () => {}, true);
  const values = new Float32Array(32 * 32).map((_, i) => (i % 32 === 0 ? 0 : 1));
  const float = toOnnx(graph, { outputs: { y: ops.gemm(x, weight) }, parameters: new Map([['weight', values]]) });
  const { y } = await evaluateModel(quantizeDynamic(float, OPTIONS), { x: [new Float32Array(32).fill(1), [1, 32]] });
  expect(y?.data[0]).toBe(0);
  expect(y?.data[1]).toBeCloseTo(32, 4);
});
