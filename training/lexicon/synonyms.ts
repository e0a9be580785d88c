import type { Lexicon, Translation } from './lexicon.ts';

/** A language's lexicon into another one and the one back. */
export interface ThereAndBack {
  readonly there: Lexicon;
  readonly back: Lexicon;
}

const CANDIDATES = 3;
/** Least p(synonym | word), and p(word | synonym); more where a single pivot has to be believed. */
const LEAST = 0.1;
const LEAST_BY_ONE = 0.2;

/**
 * Near-synonyms by pivot (Bannard and Callison-Burch 2005, equation 2): p(other | word) = sum_f p(f | word) p(other | f),
 * the mean over several pivot languages. Beyond the paper, both must lead to each other, and where there are several pivots
 * two of them must: a lexicon's odd entry is rarely wrong twice in the same way. Inflections of the word itself are none.
 */
export function learnSynonyms(ways: readonly ThereAndBack[]): Lexicon {
  const least = ways.length > 1 ? LEAST : LEAST_BY_ONE;
  const paraphrases = meanOver(ways.map(paraphrasesBy), Math.min(2, ways.length));
  const synonyms = new Map<string, readonly Translation[]>();
  for (const [word, others] of paraphrases) {
    const found = [...others]
      .map(([other, share]) => ({ word: other, share }))
      .filter(({ word: other, share }) => {
        const back = paraphrases.get(other.toLowerCase())?.get(word) ?? 0;
        return Math.min(share, back) >= least && !isInflection(word, other.toLowerCase());
      })
      .sort((a, b) => b.share - a.share || (a.word < b.word ? -1 : 1));
    if (found.length > 0) synonyms.set(word, found.slice(0, CANDIDATES));
  }
  return synonyms;
}

/** p(other | word) by word in lower case and other as it is written. */
type Paraphrases = ReadonlyMap<string, ReadonlyMap<string, number>>;

function paraphrasesBy({ there, back }: ThereAndBack): Paraphrases {
  return new Map(
    [...there].map(([word, translations]) => {
      const shares = new Map<string, number>();
      for (const { word: pivot, share } of translations) {
        for (const { word: other, share: returning } of back.get(pivot.toLowerCase()) ?? [])
          if (other !== '') shares.set(other, (shares.get(other) ?? 0) + share * returning);
      }
      return [word, shares];
    }),
  );
}

/** Over the pivots that know the word; of others that at least `agreeing` pivots lead to. */
function meanOver(byPivot: readonly Paraphrases[], agreeing: number): Paraphrases {
  const means = new Map<string, Map<string, number>>();
  for (const word of new Set(byPivot.flatMap((paraphrases) => [...paraphrases.keys()]))) {
    const known = byPivot.flatMap((paraphrases) => paraphrases.get(word) ?? []);
    const others = [...new Set(known.flatMap((shares) => [...shares.keys()]))];
    const agreed = others.filter((other) => known.filter((shares) => shares.has(other)).length >= agreeing);
    const mean = (other: string) => known.reduce((sum, shares) => sum + (shares.get(other) ?? 0), 0) / known.length;
    means.set(word, new Map(agreed.map((other) => [other, mean(other)])));
  }
  return means;
}

/** Two surfaces that begin alike for all but the last few letters are taken for forms of one word. */
export function isInflection(a: string, b: string): boolean {
  if (a === b) return true;
  let shared = 0;
  while (shared < a.length && a[shared] === b[shared]) shared++;
  const shorter = Math.min(a.length, b.length);
  return shared >= 4 ? shared >= shorter - 2 : shared >= Math.max(2, shorter);
}
