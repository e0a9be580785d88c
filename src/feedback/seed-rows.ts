import { CATEGORIES, type Category, type PerCategory } from '../taxonomy.ts';
import { canonicalLanguage, type DetectLanguage, loadSureLanguageDetector } from '../text/language.ts';
import type { StoredFeedback } from './entry.ts';

/** A row as training/seeds has them. */
export interface SeedRow {
  readonly id: string;
  readonly text: string;
  readonly lang: string;
  readonly unsafe: 0 | 1;
  readonly categories: readonly Category[];
  readonly kind: string;
}

/** All control characters but line feed and tab, what stands for broken UTF-8, and half characters. */
const DAMAGED = /(?![\n\t])\p{Cc}|\uFFFD|\p{Cs}/gu;

/** Why there is no row: nothing is left of the text, or nobody can tell its language. */
export type LeftOut = 'no_text' | 'no_language';

/** With the identifier of languages that the server has. */
export async function loadSeedWriter(otherwise: string | undefined) {
  return createSeedWriter(await loadSureLanguageDetector(), otherwise);
}

/**
 * Turns feedback into rows of the seed corpus, in the order it is given. Numbers count within a language, category and
 * label. Languages that nobody named are told by `detect`.
 *
 * @param otherwise the language of what has none with a code of two letters. Without it such texts are left out.
 */
export function createSeedWriter(
  detect: DetectLanguage,
  otherwise?: string,
): (feedback: StoredFeedback) => SeedRow | LeftOut {
  const numbers = new Map<string, number>();
  return ({ text: stored, lang: named, unsafe, categories, kind, scores }) => {
    const text = (stored ?? '').replaceAll('\r\n', '\n').replace(DAMAGED, '').trim();
    if (text === '') return 'no_text';
    const lang = toSeedLanguage(named === null ? detect(text) : canonicalLanguage(named)) ?? otherwise;
    if (lang === undefined) return 'no_language';
    const home = unsafe ? (categories[0] as Category) : (topCategory(scores ?? {}) ?? CATEGORIES[0]);
    const label = unsafe ? 'u' : 's';
    const cell = `${lang}-${home}-${label}`;
    const number = (numbers.get(cell) ?? 0) + 1;
    numbers.set(cell, number);
    const id = `${lang}-${home}-${String(number).padStart(4, '0')}-${label}`;
    return { id, text, lang, unsafe: unsafe ? 1 : 0, categories, kind };
  };
}

/** The corpus knows languages by two letters only. */
function toSeedLanguage(code: string | undefined): string | undefined {
  return code !== undefined && /^[a-z]{2}$/.test(code) ? code : undefined;
}

/** The category of the highest score: what a text was taken for. */
function topCategory(scores: Partial<PerCategory<number>>): Category | undefined {
  const ranked = (Object.entries(scores) as [Category, number][]).sort(([, a], [, b]) => b - a);
  return ranked[0]?.[0];
}
