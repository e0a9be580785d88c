import { derivedSeed, seededRandom } from '../random.ts';
import { translateWords } from './lexicon.ts';
import { readLexicon } from './lexicon-file.ts';

/** Turns an English text into another language word by word; a pure function of text and seed. */
export interface Translator {
  readonly from: string;
  readonly to: string;
  translate(text: string): string;
}

/** Throws as `readLexicon` does. */
export function createTranslator(to: string, seed: number, from = 'en'): Translator {
  const lexicon = readLexicon(from, to);
  return {
    from,
    to,
    translate: (text) => translateWords(text, lexicon, seededRandom(derivedSeed(seed, `${to} ${text}`))),
  };
}
