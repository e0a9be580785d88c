import { CATEGORIES, type Category, type PerCategory } from '../taxonomy.ts';
import { canonicalLanguage, type DetectLanguage, loadLanguageDetector } from '../text/language.ts';
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

/** With the identifier of languages that the server has. */
export async function loadSeedWriter() {
  return createSeedWriter(await loadLanguageDetector());
}

/**
 * Turns feedback into rows of the seed corpus, in the order it is given. Numbers count within a language, category and
 * label; languages that nobody named are told by `detect`. Undefined for a text of which nothing is left.
 */
export function createSeedWriter(detect: DetectLanguage): (feedback: StoredFeedback) => SeedRow | undefined {
  const numbers = new Map<string, number>();
  return ({ text: stored, lang: named, unsafe, categories, kind, scores }) => {
    const text = (stored ?? '').replaceAll('\r\n', '\n').replace(DAMAGED, '').trim();
    if (text === '') return undefined;
    const lang = toSeedLanguage(named === null ? detect(text) : canonicalLanguage(named));
    const home = unsafe ? (categories[0] as Category) : (topCategory(scores ?? {}) ?? CATEGORIES[0]);
    const label = unsafe ? 'u' : 's';
    const cell = `${lang}-${home}-${label}`;
    const number = (numbers.get(cell) ?? 0) + 1;
    numbers.set(cell, number);
    const id = `${lang}-${home}-${String(number).padStart(4, '0')}-${label}`;
    return { id, text, lang, unsafe: unsafe ? 1 : 0, categories, kind };
  };
}

/** `und` where there is no code of two letters; to training that is a language too. */
function toSeedLanguage(code: string | undefined): string {
  return code !== undefined && /^[a-z]{2}$/.test(code) ? code : 'und';
}

/** The category of the highest score: what a text was taken for. */
function topCategory(scores: Partial<PerCategory<number>>): Category | undefined {
  const ranked = (Object.entries(scores) as [Category, number][]).sort(([, a], [, b]) => b - a);
  return ranked[0]?.[0];
}
