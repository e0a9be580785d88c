import type { Lexicon, Translation } from './lexicon.ts';

/** A language's lexicon into another one and the one back. */
export interface ThereAndBack {
  readonly there: Lexicon;
  readonly back: Lexicon;
}

const CANDIDATES = 3;
/** Least p(synonym | word) over the pivot, as a mean over the pivots that know the word. */
const LEAST = 0.08;

/**
 * Near-synonyms by pivot (Bannard and Callison-Burch 2005, equation 2): p(other | word) = sum_f p(f | word) p(other | f),
 * the mean over several pivot languages. Inflections of the word itself are none.
 */
export function learnSynonyms(ways: readonly ThereAndBack[], candidates = CANDIDATES, least = LEAST): Lexicon {
  const words = new Set(ways.flatMap(({ there }) => [...there.keys()]));
  const synonyms = new Map<string, readonly Translation[]>();
  for (const word of words) {
    const found = synonymsOf(word, ways, candidates, least);
    if (found.length > 0) synonyms.set(word, found);
  }
  return synonyms;
}

function synonymsOf(word: string, ways: readonly ThereAndBack[], candidates: number, least: number): Translation[] {
  const shares = new Map<string, number>();
  let pivots = 0;
  for (const { there, back } of ways) {
    const translations = there.get(word);
    if (translations === undefined) continue;
    pivots++;
    for (const translation of translations) {
      for (const { word: other, share } of back.get(translation.word.toLowerCase()) ?? [])
        shares.set(other, (shares.get(other) ?? 0) + translation.share * share);
    }
  }
  return [...shares]
    .map(([other, share]) => ({ word: other, share: share / pivots }))
    .filter(({ word: other, share }) => share >= least && other !== '' && !isInflection(word, other.toLowerCase()))
    .sort((a, b) => b.share - a.share || (a.word < b.word ? -1 : 1))
    .slice(0, candidates);
}

/** Two surfaces that begin alike for all but the last few letters are taken for forms of one word. */
export function isInflection(a: string, b: string): boolean {
  let shared = 0;
  while (shared < a.length && a[shared] === b[shared]) shared++;
  const shorter = Math.min(a.length, b.length);
  return shared >= 4 ? shared >= shorter - 2 : shared >= Math.max(2, shorter);
}
