import { describe, expect, it } from 'vitest';
import { gradients } from '../../training/graph/autodiff.ts';
import { Graph } from '../../training/graph/graph.ts';
import { MULTILABEL_LOSSES, type MultilabelLossName } from '../../training/objectives/multilabel.ts';
import { gaussian, seededRandom } from '../../training/random.ts';
import { evaluateGraph } from '../support/evaluate-graph.ts';

interface Row {
  readonly logits: readonly number[];
  /** Categories that hold; null: unsafe in one that nobody named. */
  readonly categories: readonly number[] | null;
  readonly weight?: number;
}

/** Loss of some rows and its gradient by row and category, as the graph computes them. */
async function evaluate(name: MultilabelLossName, rows: readonly Row[]) {
  const width = rows[0]?.logits.length as number;
  const graph = new Graph();
  const logits = graph.input('logits', 'float32', ['B', width]);
  const batch = {
    targets: graph.input('targets', 'float32', ['B', width]),
    known: graph.input('known', 'float32', ['B']),
    weight: graph.input('weight', 'float32', ['B']),
  };
  const loss = MULTILABEL_LOSSES[name](logits, batch);
  const [gradient] = gradients(graph, loss, [logits]);
  const targets = rows.flatMap(({ logits: row, categories }) => row.map((_, c) => (categories?.includes(c) ? 1 : 0)));
  const result = await evaluateGraph(
    graph,
    { loss, gradient: gradient as NonNullable<typeof gradient> },
    {
      logits: [Float32Array.from(rows.flatMap(({ logits: row }) => row)), [rows.length, width]],
      targets: [Float32Array.from(targets), [rows.length, width]],
      known: [Float32Array.from(rows, ({ categories }) => (categories === null ? 0 : 1)), [rows.length]],
      weight: [Float32Array.from(rows, ({ weight }) => weight ?? 1), [rows.length]],
    },
  );
  const flat = result['gradient']?.data as number[];
  return {
    loss: result['loss']?.data[0] as number,
    gradient: rows.map((_, row) => flat.slice(row * width, (row + 1) * width)),
  };
}

const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
const sigmoid = (s: number) => 1 / (1 + Math.exp(-s));

/** The formulas as printed, with probabilities and exponentials written out; for moderate logits. */
const REFERENCES: Record<MultilabelLossName, (row: Row) => number> = {
  bce({ logits, categories }) {
    if (categories === null) return -Math.log(1 - logits.reduce((none, s) => none * (1 - sigmoid(s)), 1));
    return sum(logits.map((s, c) => -Math.log(categories.includes(c) ? sigmoid(s) : 1 - sigmoid(s))));
  },
  mcc({ logits, categories }) {
    if (categories === null) return Math.log(1 + 1 / sum(logits.map(Math.exp)));
    const negatives = logits.filter((_, c) => !categories.includes(c));
    const positives = logits.filter((_, c) => categories.includes(c));
    return Math.log(1 + sum(negatives.map(Math.exp))) + Math.log(1 + sum(positives.map((s) => Math.exp(-s))));
  },
};

const random = seededRandom(8);
const ROWS: readonly Row[] = [[0, 3], [], [0, 1, 2, 3, 4], [2], null, null].map((categories) => ({
  logits: Array.from({ length: 5 }, () => Math.fround(2 * gaussian(random))),
  categories,
}));

describe.each(['bce', 'mcc'] as const)('%s', (name) => {
  const reference = REFERENCES[name];

  it.each(ROWS.map((row) => [row]))('is the formula for %j', async (row) => {
    const { loss } = await evaluate(name, [row]);
    expect(loss).toBeCloseTo(reference(row), 4);
  });

  it('has the gradient that differences of the formula give', async () => {
    const { gradient } = await evaluate(name, ROWS);
    const h = 1e-4;
    for (const [index, row] of ROWS.entries()) {
      for (const c of row.logits.keys()) {
        const at = (step: number) =>
          reference({ ...row, logits: row.logits.with(c, (row.logits[c] as number) + step) });
        expect(gradient[index]?.[c]).toBeCloseTo((at(h) - at(-h)) / (2 * h), 4);
      }
    }
  });

  it('scales each row by its weight and adds them', async () => {
    const weights = [0.5, 0.125, 0, 0.25, 0.0625, 0.0625];
    const rows = ROWS.map((row, index) => ({ ...row, weight: weights[index] as number }));
    const { loss, gradient } = await evaluate(name, rows);
    expect(loss).toBeCloseTo(sum(rows.map((row) => row.weight * reference(row))), 4);
    expect(gradient[2]?.every((value) => Math.abs(value) === 0)).toBe(true);
  });

  it.each([80, 500])('stays finite at logits of ±%d, right or wrong', async (size) => {
    for (const categories of [[0], [], [0, 1, 2], null]) {
      for (const signs of [
        [1, 1, 1],
        [-1, -1, -1],
        [1, -1, -1],
        [-1, 1, 1],
      ]) {
        const { loss, gradient } = await evaluate(name, [{ logits: signs.map((sign) => sign * size), categories }]);
        expect(Number.isFinite(loss)).toBe(true);
        expect(gradient.flat().every(Number.isFinite)).toBe(true);
      }
    }
  });

  it('costs nothing where extreme logits are right', async () => {
    const right: Row[] = [
      { logits: [40, -40, -40], categories: [0] },
      { logits: [-40, -40, -40], categories: [] },
      { logits: [-40, 40, -40], categories: null },
    ];
    expect((await evaluate(name, right)).loss).toBeCloseTo(0, 4);
  });

  it('pushes the likeliest category of a row without a name up hardest, and none down', async () => {
    const [gradient] = (await evaluate(name, [{ logits: [-3, -1, -4], categories: null }])).gradient;
    const [first, second, third] = gradient as [number, number, number];
    expect(Math.max(first, second, third)).toBeLessThan(0);
    expect(second).toBeLessThan(Math.min(first, third));
    expect(second).toBeLessThan(-0.1);
  });

  it('pushes named categories up and the others down', async () => {
    const [gradient] = (await evaluate(name, [{ logits: [0.3, -0.2, 0.1], categories: [1] }])).gradient;
    expect((gradient as number[]).map(Math.sign)).toEqual([1, -1, 1]);
  });
});
