import type { EditKind, Slot } from './edit-space.ts';

/**
 * Logits that are there before anything is learned, relative to a slot's first option, the plain one. Two texts in three
 * have no frame and about one word in ten is disguised, so that there is something to learn from; among translations the
 * lexicon's shares decide.
 */
const KIND_LOGITS: Readonly<Record<EditKind, number>> = {
  keep: -3,
  translate: 0,
  substitute: -2,
  drop: -3,
  misspell: -4,
  'space-out': -4,
  homoglyph: -4,
  leetspeak: -4,
  'keep-foreign': -3.5,
  frame: -3.5,
};

/** Of all translations together where the plain option is to keep the word: it is probably a name. */
const TRANSLATED_NAME = -1;

export function priorLogits({ options }: Slot): number[] {
  const name = options[0]?.kind === 'keep';
  return options.map(({ kind }, o) => {
    if (o === 0) return 0;
    return kind === 'translate' && name ? TRANSLATED_NAME : KIND_LOGITS[kind];
  });
}
