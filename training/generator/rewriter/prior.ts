import type { GenerationTask } from '../contract.ts';
import type { EditKind, Slot } from './edit-space.ts';

type KindLogits = Readonly<Record<EditKind, number>>;

/**
 * Logits that are there before anything is learned, relative to a slot's first option, the plain one. Two texts in three
 * have no frame and about one word in fifteen is disguised, so that there is something to learn from; among translations
 * the lexicon's shares decide.
 */
const BETWEEN_LANGUAGES: KindLogits = {
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

/** A text that stays in its language changes only by these, so they are commoner: else most rewritings were the seed. */
const WITHIN_A_LANGUAGE: KindLogits = {
  ...BETWEEN_LANGUAGES,
  substitute: -0.5,
  drop: -2.5,
  misspell: -3.3,
  'space-out': -3.3,
  homoglyph: -3.3,
  leetspeak: -3.3,
  frame: -3,
};

/** With more frames than that the logit of each is lower, so that no more texts have one. */
const USUAL_FRAMES = 16;

/** Of all translations together where the plain option is to keep the word: it is probably a name. */
const TRANSLATED_NAME = -1;

export function priorLogits({ options }: Slot, { seed, lang }: GenerationTask): number[] {
  const logits = seed.lang === lang ? WITHIN_A_LANGUAGE : BETWEEN_LANGUAGES;
  const name = options[0]?.kind === 'keep';
  const frames = options.filter(({ kind }) => kind === 'frame').length;
  return options.map(({ kind }, o) => {
    if (o === 0) return 0;
    if (kind === 'frame') return logits.frame - Math.log(Math.max(1, frames / USUAL_FRAMES));
    return kind === 'translate' && name ? TRANSLATED_NAME : logits[kind];
  });
}
