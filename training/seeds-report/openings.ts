import type { Fault, SeedRow } from '../data/seeds.ts';
import { openingWords } from './words.ts';

export interface Opening {
  readonly lang: string;
  /** First four words. */
  readonly words: string;
  readonly ids: readonly string[];
  /** Of the texts of the language. */
  readonly share: number;
}

/** First four words of the texts by language, the most frequent of all first. Shorter texts have none. */
export function countOpenings(rows: readonly SeedRow[]): Opening[] {
  const texts = new Map<string, number>();
  const found = new Map<string, { lang: string; words: string; ids: string[] }>();
  for (const { id, lang, text } of rows) {
    texts.set(lang, (texts.get(lang) ?? 0) + 1);
    const words = openingWords(text);
    if (words === undefined) continue;
    const opening = found.get(`${lang} ${words}`);
    if (opening) opening.ids.push(id);
    else found.set(`${lang} ${words}`, { lang, words, ids: [id] });
  }
  return [...found.values()]
    .map((opening) => ({ ...opening, share: opening.ids.length / (texts.get(opening.lang) as number) }))
    .sort((a, b) => b.ids.length - a.ids.length);
}

/** No opening has more than 1 % of a language's texts; twice is fine however few they are. */
export function openingFaults(rows: readonly SeedRow[]): Fault[] {
  return countOpenings(rows)
    .filter(({ ids, share }) => ids.length > 2 && share > 0.01)
    .map(({ lang, ids, share }) => ({
      rule: 'openings',
      ids,
      message: `begin with the same four words, ${(100 * share).toFixed(1)} % of ${lang}`,
    }));
}
