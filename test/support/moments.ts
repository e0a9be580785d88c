import type { AdamwState } from '../../training/optimizers/adamw.ts';
import type { OptimizerState } from '../../training/optimizers/optimizer.ts';

/** The moments of an optimizer that is AdamW. */
export function moments(state: OptimizerState): AdamwState {
  if ('mean' in state) return state;
  throw new TypeError('this is no state of AdamW');
}
