import { derivedSeed, seededRandom } from '../random.ts';
import { translateWords } from './lexicon.ts';
import { readLexicon } from './lexicon-file.ts';
import type { ProfaneWords } from './profanity.ts';

/** Turns an English text into another language word by word; a pure function of text and seed. */
export interface Translator {
  readonly from: string;
  readonly to: string;
  translate(text: string): string;
}

/** Share of profane words that are exchanged; the rest stays, as people mix languages when they swear. */
const EXCHANGED = 0.85;

/**
 * Parallel texts that people publish hardly swear, so a lexicon learned from them leaves swear words as they are. With
 * `profane` each becomes a drawn one of the target language: not its translation, but as toxic. Throws as `readLexicon`
 * does.
 */
export function createTranslator(to: string, seed: number, profane?: ProfaneWords, from = 'en'): Translator {
  const lexicon = readLexicon(from, to);
  const targets = profane?.get(to) ?? [];
  const sources = new Set(targets.length > 0 ? profane?.get(from) : []);
  return { from, to, translate };

  function translate(text: string): string {
    const random = seededRandom(derivedSeed(seed, `${to} ${text}`));
    const drawProfane = (word: string): string | undefined =>
      sources.has(word) && random() < EXCHANGED ? targets[Math.floor(random() * targets.length)] : undefined;
    return translateWords(text, lexicon, random, drawProfane);
  }
}
