import type { Edit } from '../mapped-text.ts';
import { LOOK_ALIKES } from './look-alikes.ts';
import { NOTHING, type Uncover } from './view.ts';

const ALIKE = `[${[...LOOK_ALIKES.keys()].join('')}]`;

/** Where look-alikes are; halves of pairs count. The gap holds the quotes, dashes and currency signs of ordinary prose. */
const BEYOND_LATIN = /[\u0180-\u1fff\u2100-\uffff]/;
const SOME_ALIKE = new RegExp(ALIKE, 'u');
const MIXED = new RegExp(`[A-Za-z]${ALIKE}|${ALIKE}[A-Za-z]`, 'u');
/** A letter of another script that is nobody's look-alike. */
const HONEST = new RegExp(`(?!\\p{Script=Latin}|${ALIKE})\\p{L}`, 'u');
const WORDS = new RegExp(`(?:\\p{L}|${ALIKE})+`, 'gu');

/**
 * Latin written with look-alikes of other scripts: `kіll` with a Cyrillic letter, `ᴋɪʟʟ`. Honest Russian, Greek or Arabic
 * must come out untouched: a word is rewritten when it mixes Latin letters with look-alikes, or when it is look-alikes
 * only and the text holds no other letter of another script.
 */
export const uncoverConfusables: Uncover = (text) => {
  if (!BEYOND_LATIN.test(text)) return NOTHING;
  const foreign = HONEST.test(text);
  if (!(foreign ? MIXED : SOME_ALIKE).test(text)) return NOTHING;
  const isDisguised = (word: string) => SOME_ALIKE.test(word) && !HONEST.test(word) && (!foreign || MIXED.test(word));
  const disguised = [...text.matchAll(WORDS)].filter(({ 0: word }) => isDisguised(word));
  // Alone, a letter is a symbol: the α of a formula.
  if (!disguised.some(({ 0: word }) => [...word].length > 1)) return NOTHING;
  return disguised.flatMap(({ 0: word, index }) => rewrite(word, index));
};

function rewrite(word: string, at: number): Edit[] {
  const edits: Edit[] = [];
  let start = at;
  for (const character of word) {
    const text = LOOK_ALIKES.get(character);
    if (text !== undefined) edits.push({ start, end: start + character.length, text });
    start += character.length;
  }
  return edits;
}
