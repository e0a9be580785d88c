import { EDIT_KINDS, type EditKind } from './edit-space.ts';

/**
 * Logits that are there before anything is learned, relative to keeping the word. Among translations the lexicon's
 * shares decide; about one word in twenty is dropped or disguised and two texts in three have no frame.
 */
const KIND_LOGITS: Readonly<Record<EditKind, number>> = {
  keep: 0,
  translate: 2.5,
  substitute: -2,
  drop: -3.5,
  misspell: -4,
  'space-out': -4.5,
  homoglyph: -4,
  leetspeak: -4,
  'keep-foreign': -3,
  frame: -2.5,
};

/** What a disguise gains once the decisions about the whole text have named its kind. */
const STYLE_LOGIT = 4;

const LOGITS: readonly number[] = EDIT_KINDS.map((kind) => KIND_LOGITS[kind]);

/** `plain`: the slot's first option. `styles`: bit k is set when a decision about the whole text has chosen kind k. */
export function priorLogit(kind: number, plain: boolean, styles: number): number {
  if (plain) return 0;
  return LOGITS[kind]! + ((styles >>> kind) & 1) * STYLE_LOGIT;
}
