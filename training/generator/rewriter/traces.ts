import type { Candidate, GenerationTask } from '../contract.ts';
import type { EditSpace } from './edit-space.ts';
import { checkChoices, type EncodedSpace, encodeSpace, type FeatureList } from './encoded-space.ts';
import { RewriterError } from './errors.ts';
import type { Trace } from './policy-batch.ts';

/** All rewritings of a task; `undefined` when it can't be rewritten. */
export type CreateEditSpace = (task: GenerationTask) => EditSpace | undefined;

/**
 * One edit space for candidates of the same task. With `slots` only the choices from the first to before the second of
 * them count in the likelihood. Throws a `RewriterError` for a task that can't be rewritten and choices that don't fit.
 */
export function toTraces(
  createEditSpace: CreateEditSpace,
  features: FeatureList,
  task: GenerationTask,
  candidates: readonly Candidate[],
  slots?: readonly [from: number, to: number],
): Trace[] {
  const space = createEditSpace(task);
  if (space === undefined) throw new RewriterError(`seed ${task.seed.id} can't be rewritten in ${task.lang}`);
  const encoded = encodeSpace(space, features);
  return candidates.map(({ choices }) => {
    checkChoices(encoded, choices, task.seed.id);
    return { space: encoded, choices, ...(slots && { targets: targetsWithin(encoded, choices, slots) }) };
  });
}

function targetsWithin(space: EncodedSpace, choices: readonly number[], [from, to]: readonly [number, number]) {
  const targets = new Float32Array(space.first[space.slots]!);
  for (let s = from; s < Math.min(to, space.slots); s++) targets[space.first[s]! + choices[s]!] = 1;
  return targets;
}
