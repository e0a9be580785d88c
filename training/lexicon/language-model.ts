import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { LEXICONS_DIRECTORY } from './lexicon-file.ts';

/**
 * How probable words are in a language, in bits:
 *   p(w | v) = 0.6 p(w | v from pairs of words) + 0.35 p(w) + 0.05 p(letters of w)
 * with p(letters) from letter trigrams. Words are in lower case.
 */
export interface LanguageModel {
  readonly lang: string;
  /** -log2 p(w), letters included, so that it is finite for any word. */
  bits(word: string): number;
  /** -log2 p(w | v). */
  bitsAfter(before: string, word: string): number;
  /** Rank by frequency, from 0; undefined for a word that is not among the common ones. */
  rank(word: string): number | undefined;
  /** Mean bits a word over a real text of a few words: the mean and the deviation over texts. */
  readonly usual: { readonly mean: number; readonly deviation: number };
}

/** Costs are kept in eighths of a bit, in a byte. */
export const STEPS_PER_BIT = 8;
export const WORD_EDGE = '\n';
const UNKNOWN_LETTER = 0;

const languageModelSchema = z.strictObject({
  lang: z.string().min(2),
  data: z.array(z.strictObject({ source: z.string(), texts: z.int() })),
  /** By frequency, separated by blanks. */
  words: z.string(),
  /** Base64: a byte of cost for each word. */
  costs: z.string(),
  /** Base64: pairs of words as numbers of two bytes, low byte first; all the first words, then all the second ones. */
  pairs: z.string(),
  pairCosts: z.string(),
  /** Letters of the trigram table, whose first row and column stand for all others. */
  letters: z.string(),
  /** Base64: cost of letter c after a and b at ((a * n) + b) * n + c. */
  trigramCosts: z.string(),
  usual: z.strictObject({ mean: z.number(), deviation: z.number() }),
});

export type LanguageModelFile = z.infer<typeof languageModelSchema>;

/** Throws an `Error` that names the file when it is missing or no language model. */
export function readLanguageModel(lang: string, directory: string = LEXICONS_DIRECTORY): LanguageModel {
  const path = join(directory, `${lang}.model.json`);
  try {
    return createLanguageModel(languageModelSchema.parse(JSON.parse(readFileSync(path, 'utf8'))));
  } catch (error) {
    const reason = error instanceof z.ZodError ? z.prettifyError(error) : (error as Error).message;
    throw new Error(`${path}: not a language model: ${reason}`, { cause: error });
  }
}

export function createLanguageModel(file: LanguageModelFile): LanguageModel {
  const ranks = new Map(file.words.split(' ').map((word, rank) => [word, rank]));
  const words = toProbabilities(file.costs);
  const pairs = readPairs(file);
  const letterBits = createLetterModel(file);
  const letters = new Map<string, number>();
  const lettersOf = (word: string): number => {
    const known = letters.get(word);
    if (known !== undefined) return known;
    const probability = 2 ** -letterBits(word);
    if (letters.size < 100_000) letters.set(word, probability);
    return probability;
  };
  const alone = (word: string, rank: number | undefined): number =>
    0.35 * (rank === undefined ? 0 : (words[rank] as number)) + 0.05 * lettersOf(word);
  return {
    lang: file.lang,
    usual: file.usual,
    rank: (word) => ranks.get(word),
    bits: (word) => -Math.log2(alone(word, ranks.get(word)) / 0.4),
    bitsAfter(before, word) {
      const [first, second] = [ranks.get(before), ranks.get(word)];
      const pair = first === undefined || second === undefined ? undefined : pairs.get(first * 65536 + second);
      return -Math.log2(0.6 * (pair ?? 0) + alone(word, second));
    },
  };
}

function readPairs({ pairs, pairCosts }: LanguageModelFile): Map<number, number> {
  const bytes = Buffer.from(pairs, 'base64');
  const probabilities = toProbabilities(pairCosts);
  const half = probabilities.length * 2;
  const result = new Map<number, number>();
  for (const [i, probability] of probabilities.entries())
    result.set(bytes.readUInt16LE(2 * i) * 65536 + bytes.readUInt16LE(half + 2 * i), probability);
  return result;
}

function createLetterModel({ letters, trigramCosts }: LanguageModelFile): (word: string) => number {
  const alphabet = new Map([...letters].map((letter, i) => [letter, i + 1]));
  const costs = Buffer.from(trigramCosts, 'base64');
  const n = alphabet.size + 1;
  const edge = alphabet.get(WORD_EDGE) ?? UNKNOWN_LETTER;
  return (word) => {
    let [a, b, steps] = [edge, edge, 0];
    for (const letter of `${word}${WORD_EDGE}`) {
      const c = alphabet.get(letter) ?? UNKNOWN_LETTER;
      steps += costs[(a * n + b) * n + c] ?? 255;
      [a, b] = [b, c];
    }
    return steps / STEPS_PER_BIT;
  };
}

function toProbabilities(base64: string): Float64Array {
  return Float64Array.from(Buffer.from(base64, 'base64'), (steps) => 2 ** (-steps / STEPS_PER_BIT));
}

/** Mean bits a word of a text; undefined for one without words. */
export function meanBits(model: LanguageModel, words: readonly string[]): number | undefined {
  if (words.length === 0) return undefined;
  let sum = model.bits(words[0] as string);
  for (let i = 1; i < words.length; i++) sum += model.bitsAfter(words[i - 1] as string, words[i] as string);
  return sum / words.length;
}
