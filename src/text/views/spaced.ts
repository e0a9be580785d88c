import type { Edit } from '../mapped-text.ts';
import { NOTHING, type Uncover } from './view.ts';

/** One letter, or what stands for one; the apostrophe of `d o n ' t`. */
const UNIT = "[\\p{Script=Latin}\\p{Script=Cyrillic}\\p{Script=Greek}0-9@$!'’]";
/** Further on, also the punctuation of a text that is spaced as a whole. */
const UNIT_OR_PUNCTUATION = '[\\p{Script=Latin}\\p{Script=Cyrillic}\\p{Script=Greek}0-9@$!\'’.,;:?"()…]';
const START = '(?<![\\p{L}\\p{N}\\p{M}])';
const END = '(?![\\p{L}\\p{N}\\p{M}])';
const GAP = '[ \\t\\u00a0\\u2000-\\u200a\\u3000]';
const SEPARATOR = '[.\\-_*|/~+·•,]';

/**
 * Follows the first letter of a dotted word, which no stretch of gaps may take from it, as in `can I k.i.l.l`. Two letters
 * are none: those of `k i l l.h i m` belong to what is spaced.
 */
const BEGINS_DOTTED = `(?<dot>${SEPARATOR})${UNIT}${END}\\k<dot>${UNIT}${END}`;

/** `k i l l`, `k i l l   h i m` and `k.i.l.l`; the last two with one separator throughout. */
const STRETCHES = new RegExp(
  `${START}${UNIT}(?:(?:${GAP}{1,12}${UNIT_OR_PUNCTUATION}${END}(?!${BEGINS_DOTTED}))+|(?<separator>${SEPARATOR})${UNIT}${END}(?:\\k<separator>${UNIT}${END})*)`,
  'gu',
);
const GAPS = new RegExp(`${GAP}+`, 'gu');
const SEPARATORS = new RegExp(SEPARATOR, 'gu');
const ONLY_LETTERS = /[^\p{L}]/gu;

/**
 * Two characters, each alone. True of every text that holds a stretch of four; fast on prose, as it starts with what is
 * rare there.
 */
const FIRST_LOOK =
  /[ \t\u00a0\u2000-\u200a\u3000.\-_*|/~+·•,][^\s.\-_*|/~+·•,][ \t\u00a0\u2000-\u200a\u3000.\-_*|/~+·•,]+[^\s.\-_*|/~+·•,][ \t\u00a0\u2000-\u200a\u3000.\-_*|/~+·•,]/u;

/** So many in a row, or it is a list: A B C. */
const SUSPICIOUS = 4;

/**
 * Letters that stand apart. Reads the raw text: gaps wider than those between letters are the ends of words, and
 * normalisation would make all gaps equal.
 */
export const uncoverSpaced: Uncover = (text) => {
  if (!FIRST_LOOK.test(text)) return NOTHING;
  const stretches = [...text.matchAll(STRETCHES)].map(({ 0: stretch, index, groups }) => ({
    index,
    gaps: [...stretch.matchAll(groups?.['separator'] === undefined ? GAPS : SEPARATORS)],
    letters: stretch.replace(ONLY_LETTERS, '').length,
  }));
  if (!stretches.some(({ gaps, letters }) => gaps.length >= SUSPICIOUS - 1 && letters * 2 > gaps.length))
    return NOTHING;
  const isWide = (gap: RegExpExecArray) => gap[0].length > 1;
  const shortest = stretches.some(({ gaps }) => gaps.some(isWide)) ? 2 : 3;
  return stretches
    .filter(({ gaps, letters }) => gaps.length >= shortest - 1 && letters > 0)
    .flatMap(({ index, gaps }) =>
      gaps.map((gap): Edit => {
        const start = index + gap.index;
        return { start, end: start + gap[0].length, text: isWide(gap) ? ' ' : '' };
      }),
    );
};
