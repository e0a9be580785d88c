import type { Generator } from '../generator/contract.ts';
import { createRewriter } from '../generator/rewriter/rewriter.ts';
import type { AttackerOptions } from './players.ts';

/** The attacker of a game that names none: the embedded rewriter, from its shipped policy. */
export function createGenerator({ seed, threads }: AttackerOptions): Promise<Generator> {
  return createRewriter({ seed, threads });
}

export { rateFidelity } from '../generator/rewriter/fidelity.ts';
