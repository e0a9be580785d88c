import { CATEGORIES } from '../../../src/taxonomy.ts';
import { derivedSeed } from '../../random.ts';
import type { GenerationTask } from '../contract.ts';
import { EDIT_KINDS, type EditKind } from './edit-space.ts';

/**
 * Which rows of the embedding table a feature reads. Rows of conditions and of edits are numbered and belong to one
 * feature each; a word reads the row of its spelling and those of its character n-grams (fastText, arXiv 1607.04606,
 * section 3.2), hashed, so that any language has a vector.
 */

const RANKS = 64;
const LETTERS = 26;
const LANGUAGES = LETTERS * LETTERS;

const FIRST_FROM = EDIT_KINDS.length * RANKS;
const FIRST_TO = FIRST_FROM + LANGUAGES;
const FIRST_LABEL = FIRST_TO + LANGUAGES;
const FIRST_CATEGORY = FIRST_LABEL + 2;
const NUMBERED_ROWS = FIRST_CATEGORY + CATEGORIES.length;

/** Most rows of one feature, the longest word's. */
export const MOST_ROWS = 32;
const SHORTEST_NGRAM = 3;
const LONGEST_NGRAM = 4;

export function featureRows(buckets: number): number {
  return NUMBERED_ROWS + buckets;
}

/** The row of an edit: its kind and rank, ranks above 63 together. */
export function editRow(kind: EditKind, rank: number): number {
  return EDIT_KINDS.indexOf(kind) * RANKS + Math.min(rank, RANKS - 1);
}

/** The label to keep and both languages. */
export function conditionRows({ seed, lang }: GenerationTask): number[] {
  return [
    FIRST_FROM + languageNumber(seed.lang),
    FIRST_TO + languageNumber(lang),
    FIRST_LABEL + Number(seed.unsafe),
    ...(seed.categories ?? []).map((category) => FIRST_CATEGORY + CATEGORIES.indexOf(category)),
  ];
}

/** A text's own row and those of its n-grams with marked ends, without regard to case; none for an empty text. */
export function textRows(text: string, buckets: number): number[] {
  if (text === '') return [];
  const folded = text.toLowerCase();
  const rows = [hashedRow(`=${folded}`, buckets)];
  const characters = [...`<${folded}>`];
  for (let n = SHORTEST_NGRAM; n <= LONGEST_NGRAM; n++) {
    for (let start = 0; start + n <= characters.length; start++) {
      if (rows.length === MOST_ROWS) return rows;
      rows.push(hashedRow(characters.slice(start, start + n).join(''), buckets));
    }
  }
  return rows;
}

function hashedRow(key: string, buckets: number): number {
  return NUMBERED_ROWS + (derivedSeed(0, key) % buckets);
}

/** By the first two letters: distinct for all languages with a two-letter code. */
function languageNumber(lang: string): number {
  const [first = 0, second = 0] = Array.from(lang.toLowerCase(), (letter) => letter.charCodeAt(0) - 97);
  return (LETTERS * first + second + LANGUAGES * LETTERS) % LANGUAGES;
}
