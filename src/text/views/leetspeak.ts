import type { Edit } from '../mapped-text.ts';
import { NOTHING, type Uncover } from './view.ts';

const LETTERS: Readonly<Record<string, string>> = {
  '0': 'o',
  '1': 'i',
  '3': 'e',
  '4': 'a',
  '5': 's',
  '7': 't',
  '8': 'b',
  '@': 'a',
  $: 's',
  '!': 'i',
  '|': 'l',
};

/**
 * A sign inside a word, or a dollar at one of its ends. Digits at the end are versions, at the start quantities. Starts
 * with the sign, which is rarer than the letter before it.
 */
const GATE = /[0134578@$!|](?<=[a-z].)[0134578@$!|]*[a-z]|\$(?<=[a-z].)(?![a-z0-9])|\$(?<![a-z0-9].)[a-z]{2}/i;
const TOKENS = /\S+/g;
const SIGN = /[0134578@$!|]/;
const ADDRESS = /:\/\/|^www\.|[\w.+-]@[\w-]+\.[a-z]/i;
const RUNS = /[a-z0-9@$!|]+/gi;
const SIGNS = /11|[0134578@$|]|!(?=.*[a-z])/gi;
/** 1st, 10km, 3D, 5pm, 40s; and no word at all. */
const QUANTITY = /^\d+[a-z]{0,3}[!|]*$|^[^a-z]+$/i;
/** Longer ones are keys, hashes and encoded text. */
const LONGEST_WORD = 20;

/** `k1ll`, `b0mb`, `$ex`. Once a text holds one such word, all its words with signs are read so. */
export const uncoverLeetspeak: Uncover = (text) => {
  if (!GATE.test(text)) return NOTHING;
  const edits: Edit[] = [];
  for (const { 0: token, index } of text.matchAll(TOKENS)) {
    if (!SIGN.test(token) || ADDRESS.test(token)) continue;
    for (const run of token.matchAll(RUNS)) {
      if (run[0].length > LONGEST_WORD || QUANTITY.test(run[0])) continue;
      edits.push(...rewrite(run[0], index + run.index));
    }
  }
  return edits;
};

function rewrite(word: string, at: number): Edit[] {
  const capitals = word === word.toUpperCase();
  return [...word.matchAll(SIGNS)].map(({ 0: sign, index }) => {
    const read = sign === '11' ? 'll' : (LETTERS[sign] as string);
    return { start: at + index, end: at + index + sign.length, text: capitals ? read.toUpperCase() : read };
  });
}
