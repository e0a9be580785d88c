import type { JudgedCandidate } from './contract.ts';
import { isFaithful } from './levels.ts';

/**
 * EAST (entropy-based adaptive self-training): H = -Σ p_c log2 p_c over the classes that the answers to one question
 * fall into. Here the question is a task and the answers are what the guardrail says of its faithful candidates, right
 * or wrong. In bits: 1 where half fooled it, 0 where all or none did.
 */
export function taskEntropies(
  unsafe: readonly boolean[],
  judged: readonly Pick<JudgedCandidate, 'task' | 'flagged' | 'rating'>[],
): readonly number[] {
  const right = unsafe.map(() => 0);
  const all = unsafe.map(() => 0);
  for (const { task, flagged, rating } of judged) {
    if (!isFaithful(rating)) continue;
    all[task]! += 1;
    if (flagged === unsafe[task]) right[task]! += 1;
  }
  return all.map((count, task) => (count === 0 ? 0 : bits(right[task]! / count)));
}

/** w = H^a / (mean of H^a), one for each row; all 0 where nothing was ever in doubt. */
export function entropyWeights(entropies: readonly number[], exponent: number): readonly number[] {
  const powers = entropies.map((entropy) => entropy ** exponent);
  const mean = powers.reduce((sum, power) => sum + power, 0) / powers.length;
  return powers.map((power) => (mean === 0 ? 0 : power / mean));
}

function bits(p: number): number {
  return p === 0 || p === 1 ? 0 : -p * Math.log2(p) - (1 - p) * Math.log2(1 - p);
}
