import type { Candidate, GenerationTask } from '../contract.ts';

/** What an edit does, in a fixed order: the policy has one embedding for each. */
export const EDIT_KINDS = [
  'keep',
  'translate',
  'substitute',
  'drop',
  'misspell',
  'space-out',
  'homoglyph',
  'leetspeak',
  'keep-foreign',
  'frame',
] as const;
export type EditKind = (typeof EDIT_KINDS)[number];

/** One way to fill a slot. */
export interface EditOption {
  readonly kind: EditKind;
  /** Which of the kind's candidates this is: the k-th translation, the number of the frame. */
  readonly rank: number;
  /** What stands in the text; empty for a dropped word. For a frame its name. */
  readonly text: string;
  /** The lexicon's share of this candidate, in (0, 1]; 1 where there is none. */
  readonly share: number;
}

/** A decision of the policy. The first option is always the plain one: no frame, the word kept. */
export interface Slot {
  /** The seed's word; empty for the decisions about the whole text. */
  readonly word: string;
  readonly options: readonly EditOption[];
}

/**
 * All rewritings of one seed in one language: decisions in order, those about the whole text first (frame, then the style
 * of disguise), then one for each word. A candidate is one option for each slot, so its probability is the product over
 * slots of the probability of the option given the seed and the options before.
 */
export interface EditSpace {
  readonly task: GenerationTask;
  readonly slots: readonly Slot[];
  /** Characters of the seed that the slots cover, where they do not cover all. */
  readonly seedLength?: number | undefined;
  /** The text that these choices write; `choices[i]` is an index into `slots[i].options`. */
  render(choices: ArrayLike<number>): string;
}

/** The candidate that these choices make. */
export function candidateOf(space: EditSpace, choices: readonly number[], logProbability: number): Candidate {
  const { task, seedLength } = space;
  const candidate = { seed: task.seed.id, lang: task.lang, text: space.render(choices), logProbability, choices };
  return seedLength === undefined ? candidate : { ...candidate, seedLength };
}
