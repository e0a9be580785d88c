import { NOTHING, type SentencePair, trainModel1, type WordLink } from './model1.ts';
import { replaceWords } from './words.ts';

/** Words of one language with their translations into another, the most probable first; shares add up to 1. */
export type Lexicon = ReadonlyMap<string, readonly Translation[]>;

export interface Translation {
  readonly word: string;
  readonly share: number;
}

export interface LexiconLimits {
  /** Translations kept per word. */
  readonly candidates: number;
  /** Least p(target | source) * p(source | target). */
  readonly agreement: number;
  /** Least expected number of times that the two words are aligned. */
  readonly sightings: number;
}

export const DEFAULT_LIMITS: LexiconLimits = { candidates: 4, agreement: 0.01, sightings: 0 };

/**
 * Aligns the pairs in both directions and keeps what both agree on. A word that the alignment mostly leaves without a
 * counterpart ("do" of a question) translates to nothing.
 */
export function learnLexicon(pairs: readonly SentencePair[], limits: LexiconLimits = DEFAULT_LIMITS): Lexicon {
  const forward = trainModel1(pairs);
  const backward = trainModel1(pairs.map(({ source, target }) => ({ source: target, target: source })));
  const backwardOf = new Map(backward.map((link) => [key(link.target, link.source), link.probability]));
  const toNothing = new Map(
    backward.filter((link) => link.source === NOTHING).map((link) => [link.target, link.count] as const),
  );
  const occurrences = new Map<string, number>();
  for (const { source } of pairs) for (const word of source) occurrences.set(word, (occurrences.get(word) ?? 0) + 1);

  const found = new Map<string, Translation[]>();
  for (const { source, target, probability, count } of forward) {
    if (source === NOTHING || count < limits.sightings) continue;
    const share = probability * (backwardOf.get(key(source, target)) ?? 0);
    if (share < limits.agreement) continue;
    const list = found.get(source) ?? [];
    list.push({ word: target, share });
    found.set(source, list);
  }
  for (const [word, count] of toNothing) {
    const share = count / (occurrences.get(word) ?? Number.POSITIVE_INFINITY);
    if (share > 0.5) found.set(word, [{ word: NOTHING, share: 1 }]);
  }
  return new Map([...found].map(([word, list]) => [word, normalised(list, limits.candidates)]));
}

/**
 * Word by word: what `override` says of a word (in lower case), else a drawn translation where the lexicon has one, else
 * the word itself. `random` gives [0, 1).
 */
export function translateWords(
  text: string,
  lexicon: Lexicon,
  random: () => number,
  override: (word: string) => string | undefined = () => undefined,
): string {
  return replaceWords(text, (word) => {
    const overridden = override(word);
    if (overridden !== undefined) return overridden;
    const candidates = lexicon.get(word);
    if (candidates === undefined) return undefined;
    const point = random();
    let sum = 0;
    const drawn = candidates.find(({ share }) => {
      sum += share;
      return point < sum;
    });
    const { word: translation } = drawn ?? (candidates[0] as Translation);
    return translation === NOTHING ? null : translation;
  });
}

function normalised(list: readonly Translation[], candidates: number): readonly Translation[] {
  const best = list.toSorted((a, b) => b.share - a.share || (a.word < b.word ? -1 : 1)).slice(0, candidates);
  const total = best.reduce((sum, { share }) => sum + share, 0);
  return best.map(({ word, share }) => ({ word, share: share / total }));
}

function key(source: WordLink['source'], target: WordLink['target']): string {
  return `${source}\t${target}`;
}
