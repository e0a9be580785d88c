import { describe, expect, it } from 'vitest';
import { gradients } from '../../training/graph/autodiff.ts';
import { Graph } from '../../training/graph/graph.ts';
import { toOnnx } from '../../training/graph/lower.ts';
import * as ops from '../../training/graph/ops.ts';
import type { Tensor } from '../../training/graph/tensor.ts';
import { evaluateGraph } from '../support/evaluate-graph.ts';

function scalarGraph(): { graph: Graph; x: Tensor } {
  const graph = new Graph();
  return { graph, x: graph.input('x', 'float32', []) };
}

async function derivativeAt(value: number, build: (x: Tensor) => Tensor): Promise<number> {
  const { graph, x } = scalarGraph();
  const [dx] = gradients(graph, build(x), [x]) as [Tensor];
  const { dx: result } = await evaluateGraph(graph, { dx }, { x: [Float32Array.of(value), []] });
  return result?.data[0] as number;
}

describe('what a loss may be', () => {
  it('a vector is refused', () => {
    const graph = new Graph();
    const x = graph.input('x', 'float32', [3]);
    expect(() => gradients(graph, ops.exp(x), [x])).toThrow(/a loss is a float32 scalar, not float32 \[3\]/);
  });

  it('one element with a dimension is refused', () => {
    const graph = new Graph();
    const x = graph.input('x', 'float32', ['B', 1]);
    expect(() => gradients(graph, ops.reduceSum(x, [0], true), [x])).toThrow(/not float32 \[1, 1\]/);
  });

  it('an integer is refused', () => {
    const graph = new Graph();
    const n = graph.input('n', 'int32', []);
    expect(() => gradients(graph, ops.add(n, 1), [n])).toThrow(/not int32 \[\]/);
  });

  it('a parameter that the loss does not use is named', () => {
    const { graph, x } = scalarGraph();
    const unused = graph.parameter('head.bias', [2], () => {}, false);
    expect(() => gradients(graph, ops.exp(x), [x, unused])).toThrow(/the loss does not depend on head\.bias/);
  });

  it('a parameter that only reaches the loss through a comparison is named', () => {
    const { graph, x } = scalarGraph();
    const loss = ops.cast(ops.greater(x, 0), 'float32');
    expect(() => gradients(graph, loss, [x])).toThrow(/the loss does not depend on x/);
  });

  it('the loss is its own derivative of 1', async () => {
    expect(await derivativeAt(5, (x) => x)).toBe(1);
  });
});

describe('a tensor that is used more than once', () => {
  it('receives the sum: d(x·x + x)/dx = 2x + 1', async () => {
    expect(await derivativeAt(3, (x) => ops.add(ops.mul(x, x), x))).toBe(7);
  });

  it('by both operands of one operator: d(x - x)/dx = 0', async () => {
    expect(await derivativeAt(3, (x) => ops.sub(x, x))).toBe(0);
  });

  it('over a shared subexpression: with s = x², d(s·s + 3s)/dx = 4x³ + 6x', async () => {
    const build = (x: Tensor): Tensor => {
      const s = ops.mul(x, x);
      return ops.add(ops.mul(s, s), ops.mul(s, 3));
    };
    expect(await derivativeAt(2, build)).toBe(44);
  });

  it('in a chain of 60 doublings is not walked 2⁶⁰ times', async () => {
    const build = (x: Tensor): Tensor => {
      let y = x;
      for (let i = 0; i < 60; i++) y = ops.add(y, y);
      return y;
    };
    expect(await derivativeAt(1, build)).toBe(2 ** 60);
  });

  it('one operand broadcast against itself: L = Σᵢⱼ xᵢ xⱼ has dL/dx = 2 Σ x', async () => {
    const graph = new Graph();
    const x = graph.input('x', 'float32', ['N']);
    const product = ops.mul(ops.reshape(x, ['N', 1]), ops.reshape(x, [1, 'N']));
    // Two dimensions of the same name: both are summed.
    const [dx] = gradients(graph, ops.reduceSum(product, [0, 1]), [x]) as [Tensor];
    const { dx: result } = await evaluateGraph(graph, { dx }, { x: [Float32Array.of(1, 2, 4), [3]] });
    expect(result?.data).toEqual([14, 14, 14]);
  });
});

describe('sizes known only at run time', () => {
  it('the gradient of a broadcast bias is summed over them', async () => {
    const graph = new Graph();
    const x = graph.input('x', 'float32', ['B', 'T', 2]);
    const bias = graph.parameter('bias', [2], () => {}, false);
    const loss = ops.reduceSum(ops.mul(ops.add(x, bias), 3), [0, 1, 2]);
    const [dx, dBias] = gradients(graph, loss, [x, bias]) as [Tensor, Tensor];
    expect(dx.shape).toEqual(['B', 'T', 2]);
    expect(dBias.shape).toEqual([2]);
    for (const [b, t] of [
      [1, 1],
      [2, 5],
    ] as const) {
      const { dx: gradient, dBias: biasGradient } = await evaluateGraph(
        graph,
        { dx, dBias },
        { x: [new Float32Array(b * t * 2), [b, t, 2]], bias: [new Float32Array(2), [2]] },
      );
      expect(gradient).toEqual({ data: new Array(b * t * 2).fill(3), dims: [b, t, 2] });
      expect(biasGradient).toEqual({ data: [3 * b * t, 3 * b * t], dims: [2] });
    }
  });
});

it('nodes that a gradient rule made and nobody needs are not written', () => {
  const graph = new Graph();
  const x = graph.input('x', 'float32', ['B', 4]);
  const weight = graph.parameter('weight', [4, 3], () => {}, true);
  const loss = ops.reduceSum(ops.gemm(x, weight), [0, 1]);
  const [dWeight] = gradients(graph, loss, [weight]) as [Tensor];
  const { nodes, inputs } = toOnnx(graph, { outputs: { dWeight } });
  // dW = xᵀ dY: the product with W, which would give dx, is not among them.
  expect(nodes.filter(({ op }) => op === 'Gemm')).toHaveLength(1);
  expect(inputs.map(({ name }) => name)).toEqual(['x']);
});
