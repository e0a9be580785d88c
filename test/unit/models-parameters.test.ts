import { describe, expect, it } from 'vitest';
import { gradients } from '../../training/graph/autodiff.ts';
import { Graph } from '../../training/graph/graph.ts';
import { toOnnx } from '../../training/graph/lower.ts';
import { reduceMean, reshape } from '../../training/graph/ops.ts';
import { GraphSession, toTensor } from '../../training/graph/session.ts';
import type { Tensor } from '../../training/graph/tensor.ts';
import { dropout, linear } from '../../training/models/layers.ts';
import { gradientName, ParameterSet } from '../../training/models/parameters.ts';
import { Scope } from '../../training/models/scope.ts';

function twoLayers(): { graph: Graph; loss: Tensor } {
  const graph = new Graph();
  const scope = new Scope(graph);
  const x = graph.input('x', 'float32', ['N', 3]);
  const y = linear(scope.at('second'), linear(scope.at('first'), x, 4), 1);
  return { graph, loss: reduceMean(reshape(y, [1]), [0]) };
}

describe('the parameters of a model', () => {
  const { graph, loss } = twoLayers();

  it('lie one after another in one array, of which those by name are views', () => {
    const set = new ParameterSet(graph.parameters, 1);
    expect([...set.byName()].map(([name, values]) => [name, values.length])).toEqual([
      ['first.weight', 12],
      ['first.bias', 4],
      ['second.weight', 4],
      ['second.bias', 1],
    ]);
    for (let i = 0; i < set.values.length; i++) set.values[i] = i;
    expect([...set.byName().values()].flatMap((values) => [...values])).toEqual([...Array(21).keys()]);
    expect(set.feeds['second.weight']?.data).toEqual(Float32Array.of(16, 17, 18, 19));
  });

  it('decay where they are matrices', () => {
    const { decay } = new ParameterSet(graph.parameters, 1);
    expect([...decay]).toEqual([...Array(12).fill(1), ...Array(4).fill(0), ...Array(4).fill(1), 0]);
  });

  it('start alike for one seed, and each from a stream of its own', () => {
    const [one, same, other] = [1, 1, 2].map((seed) => new ParameterSet(graph.parameters, seed).values) as [
      Float32Array,
      Float32Array,
      Float32Array,
    ];
    expect(same).toEqual(one);
    expect(other).not.toEqual(one);
    expect(one.subarray(0, 4)).not.toEqual(one.subarray(16, 20));
    // A layer in front of it does not change how a layer starts.
    const alone = new Graph();
    linear(new Scope(alone).at('second'), alone.input('x', 'float32', ['N', 4]), 1);
    expect(new ParameterSet(alone.parameters, 1).values.subarray(0, 4)).toEqual(one.subarray(16, 20));
  });

  it('are fed from and their gradients written to the flat arrays by a session', async () => {
    const set = new ParameterSet(graph.parameters, 1);
    const wrt = graph.parameters.map(({ tensor }) => tensor);
    const outputs = Object.fromEntries(
      gradients(graph, loss, wrt).map((tensor, i) => [gradientName((wrt[i] as Tensor).name), tensor]),
    );
    const session = await GraphSession.create(toOnnx(graph, { outputs }), { threads: 1 });
    const feeds = { ...set.feeds, x: toTensor(Float32Array.of(1, 2, 3), [1, 3]) };
    set.values.fill(0);
    set.byName().get('second.weight')?.set([1, 10, 100, 1000]);
    await session.run(feeds, set.gradientOutputs);
    await session.release();
    const first = [1, 2, 3].flatMap((x) => [1, 10, 100, 1000].map((w) => x * w));
    expect([...set.gradients]).toEqual([...first, 1, 10, 100, 1000, 0, 0, 0, 0, 1]);
  });
});

describe('a scope', () => {
  it('names parameters by their place', () => {
    const graph = new Graph();
    const scope = new Scope(graph).at('layer0').at('norm');
    expect([scope.vector('scale', 2, 1).name, scope.matrix('weight', [2, 2], 1).name]).toEqual([
      'layer0.norm.scale',
      'layer0.norm.weight',
    ]);
  });

  it('collects the dropout masks of all its places, and none where nothing is dropped', () => {
    const shapes = [0.5, 0].map((rate) => {
      const graph = new Graph();
      const scope = new Scope(graph, rate);
      const x = graph.input('x', 'float32', ['N', 3]);
      const y = dropout(scope.at('b'), dropout(scope.at('a').at('inner'), x));
      expect(y.node === undefined).toBe(rate === 0);
      return scope.dropoutMasks.map(({ shape }) => shape);
    });
    expect(shapes).toEqual([
      [
        ['N', 3],
        ['N', 3],
      ],
      [],
    ]);
  });
});
