import { describe, expect, it } from 'vitest';
import { gradients } from '../../training/graph/autodiff.ts';
import { Graph } from '../../training/graph/graph.ts';
import * as ops from '../../training/graph/ops.ts';
import type { Tensor } from '../../training/graph/tensor.ts';
import { MULTILABEL_LOSSES, type MultilabelLossName } from '../../training/objectives/multilabel.ts';
import { evaluateGraph } from '../support/evaluate-graph.ts';

const ROWS = [
  [100, -100, 5, 0],
  [-100, -100, -100, -100],
  [100, 100, 100, 100],
  [1e4, -1e4, 100, -100],
  [-1e4, -1e4, -1e4, -1e4],
  [1e4, 1e4, 1e4, 1e4],
  [-1e4, 1e4, 1e4, 0],
];
const [HEIGHT, WIDTH] = [ROWS.length, 4];
const FLAT = Float32Array.from(ROWS.flat());

/** Values of y and of d(Σ y)/dx for the rows above. */
async function valueAndGradient(build: (x: Tensor) => Tensor): Promise<{ y: number[]; dx: number[] }> {
  const graph = new Graph();
  const x = graph.input('x', 'float32', [HEIGHT, WIDTH]);
  const y = build(x);
  const loss = ops.reduceSum(
    ops.mul(y, y),
    y.shape.map((_, axis) => axis),
  );
  const [dx] = gradients(graph, loss, [x]) as [Tensor];
  const results = await evaluateGraph(graph, { y, dx }, { x: [FLAT, [HEIGHT, WIDTH]] });
  return { y: results['y']?.data as number[], dx: results['dx']?.data as number[] };
}

const logSumExp = (row: readonly number[]): number => {
  const highest = Math.max(...row);
  return highest + Math.log(row.reduce((sum, s) => sum + Math.exp(s - highest), 0));
};
const softplus = (s: number): number => Math.max(s, 0) + Math.log1p(Math.exp(-Math.abs(s)));

function expectClose(actual: readonly number[], expected: readonly number[]): void {
  expect(actual).toHaveLength(expected.length);
  for (const [i, value] of expected.entries()) {
    expect(Math.abs((actual[i] as number) - value)).toBeLessThanOrEqual(1e-5 + 1e-6 * Math.abs(value));
  }
}

describe('operators at ±100 and ±10,000', () => {
  it.each<[string, (x: Tensor) => Tensor, number[]]>([
    ['softmax', ops.softmax, ROWS.flatMap((row) => row.map((s) => Math.exp(s - logSumExp(row))))],
    ['log-softmax', ops.logSoftmax, ROWS.flatMap((row) => row.map((s) => s - logSumExp(row)))],
    ['log-sum-exp', (x) => ops.reduceLogSumExp(x, [1]), ROWS.map(logSumExp)],
    ['softplus', ops.softplus, ROWS.flat().map(softplus)],
    ['sigmoid', ops.sigmoid, ROWS.flat().map((s) => 1 / (1 + Math.exp(-s)))],
    ['tanh', ops.tanh, ROWS.flat().map(Math.tanh)],
    ['gelu', ops.gelu, ROWS.flat().map((s) => (s > 50 ? s : s < -50 ? 0 : s * (s === 0 ? 0.5 : 1)))],
  ])('%s is right and its gradient finite', async (_, build, expected) => {
    const { y, dx } = await valueAndGradient(build);
    expectClose(y, expected);
    expect(dx.filter((value) => !Number.isFinite(value))).toEqual([]);
  });
});

describe('losses at ±100 and ±10,000', () => {
  it.each(
    (Object.keys(MULTILABEL_LOSSES) as MultilabelLossName[]).flatMap((name) =>
      ([1, 0] as const).map((known) => [name, known] as const),
    ),
  )('%s with known = %i is finite, never negative, and so is its gradient finite', async (name, known) => {
    for (let row = 0; row < HEIGHT; row++) {
      for (const labels of [
        [0, 0, 0, 0],
        [1, 0, 0, 1],
        [1, 1, 1, 1],
      ]) {
        const graph = new Graph();
        const logits = graph.input('logits', 'float32', [1, WIDTH]);
        const loss = MULTILABEL_LOSSES[name](logits, {
          targets: graph.constant(Float32Array.from(known ? labels : [0, 0, 0, 0]), [1, WIDTH]),
          known: graph.constant(Float32Array.of(known), [1]),
          weight: graph.constant(Float32Array.of(1), [1]),
        });
        const [dLogits] = gradients(graph, loss, [logits]) as [Tensor];
        const result = await evaluateGraph(
          graph,
          { loss, dLogits },
          { logits: [FLAT.slice(row * WIDTH, (row + 1) * WIDTH), [1, WIDTH]] },
        );
        const value = result['loss']?.data[0] as number;
        expect(Number.isFinite(value), `${ROWS[row]} ${labels}: ${value}`).toBe(true);
        expect(value).toBeGreaterThanOrEqual(-1e-6);
        expect(result['dLogits']?.data.every(Number.isFinite), `${ROWS[row]} ${labels}`).toBe(true);
      }
    }
  });
});
