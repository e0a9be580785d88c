import { describe, expect, it } from 'vitest';
import {
  contractionBound,
  type FiniteGame,
  generatorResponse,
  guardrailResponse,
  playFiniteGame,
  policyDistance,
  solveFiniteGame,
} from '../../training/game/finite-game.ts';

const REFERENCE = [
  [0.5, 0.2, 0.2, 0.1],
  [0.1, 0.3, 0.2, 0.4],
] as const;
const game = (beta: number, alpha = 0.5): FiniteGame => ({ reference: REFERENCE, beta, alpha });

describe('the finite game of the theorem', () => {
  it('has best responses that no change improves', () => {
    const own = game(0.5);
    const theta = [0.3, -0.7, 1.1, 0];
    const policy = generatorResponse(own, theta);
    const generatorValue = (p: readonly (readonly number[])[]) =>
      p.reduce(
        (sum, row, y) =>
          sum +
          row.reduce((part, q, x) => {
            const loss = Math.log1p(Math.exp(-(y === 0 ? -1 : 1) * theta[x]!));
            return part + q * (loss - own.beta * Math.log(q / REFERENCE[y]![x]!));
          }, 0),
        0,
      );
    const best = generatorValue(policy);
    for (const [from, to] of [
      [0, 1],
      [2, 3],
      [3, 0],
    ] as const) {
      const moved = policy.map((row) => row.map((q, x) => q + (x === to ? 1e-3 : x === from ? -1e-3 : 0)));
      expect(generatorValue(moved)).toBeLessThan(best);
    }
    const answer = guardrailResponse(own, policy);
    const guardrailLoss = (logits: readonly number[]) =>
      logits.reduce((sum, z, x) => {
        const losses = (policy[0][x]! * Math.log1p(Math.exp(z)) + policy[1][x]! * Math.log1p(Math.exp(-z))) / 2;
        return sum + losses + (own.alpha / 2) * z * z;
      }, 0);
    for (let x = 0; x < answer.length; x++) {
      for (const change of [-1e-3, 1e-3]) {
        expect(guardrailLoss(answer.with(x, answer[x]! + change))).toBeGreaterThan(guardrailLoss(answer));
      }
    }
  });

  it('converges linearly to the equilibrium solved for directly where the condition of the theorem holds', () => {
    const own = game(400);
    expect(contractionBound(own)).toBeLessThan(1);
    const equilibrium = solveFiniteGame(own);
    const distances = playFiniteGame(own, 4).map((policy) => policyDistance(policy, equilibrium));
    expect(distances[0]).toBeGreaterThan(1e-6);
    for (let round = 1; round < 3; round++) {
      expect(distances[round]!).toBeLessThan(contractionBound(own) * distances[round - 1]!);
    }
    expect(distances.at(-1)).toBeLessThan(1e-9);
  });

  it('converges at a steady rate also for a moderate beta, which the condition is too strict to promise', () => {
    const own = game(0.5);
    expect(contractionBound(own)).toBeGreaterThan(1);
    const equilibrium = solveFiniteGame(own);
    const distances = playFiniteGame(own, 12).map((policy) => policyDistance(policy, equilibrium));
    const ratios = distances.slice(1, 8).map((distance, round) => distance / distances[round]!);
    for (const ratio of ratios) expect(ratio).toBeLessThan(0.9);
    // Linear: the rate neither fades nor grows.
    expect(Math.max(...ratios.slice(3)) - Math.min(...ratios.slice(3))).toBeLessThan(0.05);
  });

  it('goes round and round for a small beta, where the condition fails', () => {
    const own = game(0.01, 0.02);
    expect(contractionBound(own)).toBeGreaterThan(1);
    const equilibrium = solveFiniteGame(own);
    const policies = playFiniteGame(own, 60);
    const late = policies.slice(40).map((policy) => policyDistance(policy, equilibrium));
    expect(Math.min(...late)).toBeGreaterThan(0.2);
    expect(policyDistance(policies[59]!, policies[60]!)).toBeGreaterThan(0.2);
  });
});
