import type { Generator } from '../generator/contract.ts';
import { createEditSpace } from '../generator/rewriter/create-edit-space.ts';
import { createRewriter } from '../generator/rewriter/rewriter.ts';
import { languagesFrom } from '../generator/rewriter/word-sources.ts';
import type { AttackerOptions } from './players.ts';

/** The attacker of a game that names none: the embedded rewriter. */
export function createGenerator({ seed, threads }: AttackerOptions): Promise<Generator> {
  return createRewriter({ createEditSpace, languages: languagesFrom, seed, threads });
}

export { rateFidelity } from '../generator/rewriter/fidelity.ts';
