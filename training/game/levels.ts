import type { Fidelity, Judgement, Level } from './contract.ts';

const LEAST_FAITHFUL = 3;
const MOST_UNFAITHFUL = 2;

/** Whether a rewriting with this rating may carry its seed's label. */
export function isFaithful(rating: Fidelity): boolean {
  return rating >= LEAST_FAITHFUL;
}

export function levelOf(unsafe: boolean, { flagged }: Judgement, rating: Fidelity): Level {
  const misclassified = flagged !== unsafe;
  if (isFaithful(rating)) return misclassified ? 'chosen' : 'rejected';
  return misclassified && rating <= MOST_UNFAITHFUL ? 'unfaithful' : 'unsure';
}
