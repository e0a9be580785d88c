import { writtenWordsOf } from './words.ts';

/**
 * Learns how each word is written inside a sentence, so that German nouns keep their capital and the first word of a
 * sentence does not give one. Texts without any capital say nothing. Gives words that were never seen as they are.
 */
export function createTrueCaser(texts: readonly string[]): (word: string) => string {
  const counts = new Map<string, Map<string, number>>();
  for (const text of texts) {
    if (text === text.toLowerCase() || text === text.toUpperCase()) continue;
    for (const written of writtenWordsOf(text).slice(1)) {
      const word = written.toLowerCase();
      const forms = counts.get(word) ?? new Map<string, number>();
      counts.set(word, forms.set(written, (forms.get(written) ?? 0) + 1));
    }
  }
  const best = new Map<string, string>();
  for (const [word, forms] of counts) {
    const [form] = [...forms].reduce((most, next) => (next[1] > most[1] ? next : most));
    if (form !== word) best.set(word, form);
  }
  return (word) => best.get(word) ?? word;
}
