import { describe, expect, it } from 'vitest';
import { gradients } from '../../training/graph/autodiff.ts';
import { Graph } from '../../training/graph/graph.ts';
import type { Tensor } from '../../training/graph/tensor.ts';
import {
  dpoLoss,
  type PreferenceLogs,
  preferenceMargin,
  regularizedDpoLoss,
  rpoLoss,
} from '../../training/objectives/dpo.ts';
import { evaluateGraph } from '../support/evaluate-graph.ts';
import { gradientError } from '../support/finite-differences.ts';

interface Pair {
  readonly chosen: number;
  readonly rejected: number;
  readonly referenceChosen: number;
  readonly referenceRejected: number;
}

const NAMES = ['chosen', 'rejected', 'referenceChosen', 'referenceRejected', 'weight'] as const;

/** Value of an objective over pairs of equal weight, and its gradient by log p of the chosen and the rejected side. */
async function evaluate(pairs: readonly Pair[], objective: (logs: PreferenceLogs) => Tensor) {
  const graph = new Graph();
  const inputs = Object.fromEntries(NAMES.map((name) => [name, graph.input(name, 'float32', ['P'])]));
  const logs = inputs as unknown as PreferenceLogs;
  const loss = objective(logs);
  const [dChosen, dRejected] = gradients(graph, loss, [logs.chosen, logs.rejected]) as [Tensor, Tensor];
  const margin = preferenceMargin(logs, 0.5);
  const feeds = Object.fromEntries(
    NAMES.map((name) => {
      const values = pairs.map((pair) => (name === 'weight' ? 1 / pairs.length : pair[name]));
      return [name, [Float32Array.from(values), [pairs.length]] as const];
    }),
  );
  const result = await evaluateGraph(graph, { loss, margin, dChosen, dRejected }, feeds);
  const values = (name: string) => result[name]?.data as number[];
  return {
    loss: values('loss')[0] as number,
    margin: values('margin'),
    dChosen: values('dChosen'),
    dRejected: values('dRejected'),
  };
}

/**
 * Worked by hand with β = 0.5. First pair: the chosen side gained 2, the rejected lost 1, so the margin is 0.5 * 3 = 1.5
 * and -log σ(1.5) = ln(1 + e^-1.5) = 0.201413. Second: margin 0.5 * (-1 - 1) = -1, -log σ(-1) = ln(1 + e) = 1.313262.
 */
const PAIRS: readonly Pair[] = [
  { chosen: -4, rejected: -7, referenceChosen: -6, referenceRejected: -6 },
  { chosen: -9, rejected: -5, referenceChosen: -8, referenceRejected: -6 },
];
const DPO = (0.201413 + 1.313262) / 2;

describe('the losses over preferences', () => {
  it('DPO is the example worked by hand', async () => {
    const { loss, margin, dChosen, dRejected } = await evaluate(PAIRS, (logs) => dpoLoss(logs, 0.5));
    expect(margin).toEqual([1.5, -1]);
    expect(loss).toBeCloseTo(DPO, 5);
    // -β σ(-margin) / 2 pairs: σ(-1.5) = 0.182426, σ(1) = 0.731059
    expect(dChosen[0]).toBeCloseTo(-0.25 * 0.182426, 5);
    expect(dChosen[1]).toBeCloseTo(-0.25 * 0.731059, 5);
    expect(dRejected).toEqual(dChosen.map((value) => -value));
  });

  it('the likelihood term is a mean over all decisions of the chosen sides', async () => {
    const decisions = 5;
    const { loss, dChosen, dRejected } = await evaluate(PAIRS, (logs) => rpoLoss(logs, 0.5, 0.4, decisions));
    expect(loss).toBeCloseTo(DPO + (0.4 * (4 + 9)) / decisions, 5);
    expect(dChosen[0]).toBeCloseTo(-0.25 * 0.182426 - 0.4 / decisions, 5);
    expect(dRejected[0]).toBeCloseTo(0.25 * 0.182426, 5);
  });

  it("STIC's takes whole sequences, weighted by 1/1024", async () => {
    const { loss } = await evaluate(PAIRS, (logs) => regularizedDpoLoss(logs, 0.5));
    expect(loss).toBeCloseTo(DPO + (4 + 9) / 2 / 1024, 5);
  });

  it('is ln 2 where policy and reference agree, and finite at extremes', async () => {
    const same = PAIRS.map((pair) => ({ ...pair, referenceChosen: pair.chosen, referenceRejected: pair.rejected }));
    expect((await evaluate(same, (logs) => dpoLoss(logs, 0.5))).loss).toBeCloseTo(Math.LN2, 6);
    for (const gap of [-2000, 2000]) {
      const far = [{ chosen: gap, rejected: 0, referenceChosen: 0, referenceRejected: 0 }];
      const { loss, dChosen } = await evaluate(far, (logs) => dpoLoss(logs, 0.5));
      expect(loss).toBeCloseTo(Math.max(0, -gap / 2), 3);
      expect(Number.isFinite(dChosen[0])).toBe(true);
    }
  });

  it.each([
    ['dpo', (logs: PreferenceLogs) => dpoLoss(logs, 0.7)],
    ['rpo', (logs: PreferenceLogs) => rpoLoss(logs, 0.7, 0.4, 9)],
    ['stic', (logs: PreferenceLogs) => regularizedDpoLoss(logs, 0.7, 0.1)],
  ] as const)('%s has the gradient that differences give', async (_, objective) => {
    const error = await gradientError({
      operands: NAMES.map(() => ['P']),
      sizes: { P: 4 },
      build: (_graph, operands) =>
        objective(Object.fromEntries(NAMES.map((name, i) => [name, operands[i]])) as unknown as PreferenceLogs),
    });
    expect(error).toBeLessThan(2e-3);
  });
});
