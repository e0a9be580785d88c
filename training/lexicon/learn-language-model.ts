import { createLanguageModel, type LanguageModelFile, meanBits, STEPS_PER_BIT, WORD_EDGE } from './language-model.ts';
import { wordsOf } from './words.ts';

export interface LanguageModelLimits {
  readonly words: number;
  readonly pairs: number;
  readonly letters: number;
}

const DEFAULT_LIMITS: LanguageModelLimits = { words: 12_000, pairs: 40_000, letters: 47 };

/** Of every so many texts one is left out, for the usual bits a word. */
const HELD_OUT = 20;

/** Counts words, pairs of words and letters of texts. */
export function learnLanguageModel(
  lang: string,
  texts: readonly string[],
  data: LanguageModelFile['data'],
  limits: LanguageModelLimits = DEFAULT_LIMITS,
): LanguageModelFile {
  const sentences = texts.map(wordsOf);
  const learned = sentences.filter((_, i) => i % HELD_OUT !== 0);
  const counts = countWords(learned);
  const common = mostFrequent(counts, Math.min(limits.words, 65536));
  const total = sum(counts.values());
  const file: LanguageModelFile = {
    lang,
    data,
    words: common.map(([word]) => word).join(' '),
    costs: toBase64(common.map(([, count]) => count / total)),
    ...learnPairs(learned, new Map(common.map(([word], rank) => [word, rank])), counts, limits.pairs),
    ...learnLetters(counts, limits.letters),
    usual: { mean: 0, deviation: 1 },
  };
  return {
    ...file,
    usual: usualBits(
      file,
      sentences.filter((words, i) => i % HELD_OUT === 0 && words.length >= 4),
    ),
  };
}

function countWords(sentences: readonly (readonly string[])[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const words of sentences) for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1);
  return counts;
}

function learnPairs(
  sentences: readonly (readonly string[])[],
  ranks: ReadonlyMap<string, number>,
  counts: ReadonlyMap<string, number>,
  most: number,
): Pick<LanguageModelFile, 'pairs' | 'pairCosts'> {
  const pairCounts = new Map<number, number>();
  for (const words of sentences) {
    for (let i = 1; i < words.length; i++) {
      const [first, second] = [ranks.get(words[i - 1] as string), ranks.get(words[i] as string)];
      if (first === undefined || second === undefined) continue;
      const key = first * 65536 + second;
      pairCounts.set(key, (pairCounts.get(key) ?? 0) + 1);
    }
  }
  const kept = mostFrequent(pairCounts, most);
  const words = [...ranks.keys()];
  const bytes = Buffer.alloc(kept.length * 4);
  for (const [i, [key]] of kept.entries()) {
    bytes.writeUInt16LE(Math.floor(key / 65536), 2 * i);
    bytes.writeUInt16LE(key % 65536, 2 * (kept.length + i));
  }
  const shares = kept.map(([key, count]) => count / (counts.get(words[Math.floor(key / 65536)] as string) as number));
  return { pairs: bytes.toString('base64'), pairCosts: toBase64(shares) };
}

/** Letter trigrams over the different words, each once: what words look like, not which are frequent. One is added to each. */
function learnLetters(
  words: ReadonlyMap<string, number>,
  most: number,
): Pick<LanguageModelFile, 'letters' | 'trigramCosts'> {
  const letterCounts = new Map<string, number>();
  for (const word of words.keys())
    for (const letter of `${word}${WORD_EDGE}`) letterCounts.set(letter, (letterCounts.get(letter) ?? 0) + 1);
  const letters = mostFrequent(letterCounts, most).map(([letter]) => letter);
  const alphabet = new Map(letters.map((letter, i) => [letter, i + 1]));
  const n = letters.length + 1;
  const counts = new Float64Array(n * n * n).fill(0.02);
  const edge = alphabet.get(WORD_EDGE) as number;
  for (const word of words.keys()) {
    let [a, b] = [edge, edge];
    for (const letter of `${word}${WORD_EDGE}`) {
      const c = alphabet.get(letter) ?? 0;
      const at = (a * n + b) * n + c;
      counts[at] = (counts[at] as number) + 1;
      [a, b] = [b, c];
    }
  }
  const shares: number[] = [];
  for (let row = 0; row < counts.length; row += n) {
    const total = sum(counts.subarray(row, row + n));
    for (let c = 0; c < n; c++) shares.push((counts[row + c] as number) / total);
  }
  return { letters: letters.join(''), trigramCosts: toBase64(shares) };
}

function usualBits(file: LanguageModelFile, sentences: readonly (readonly string[])[]): LanguageModelFile['usual'] {
  const model = createLanguageModel(file);
  const bits = sentences.map((words) => meanBits(model, words) as number);
  if (bits.length < 2) return { mean: 10, deviation: 3 };
  const mean = sum(bits) / bits.length;
  const variance = sum(bits.map((value) => (value - mean) ** 2)) / (bits.length - 1);
  return { mean: Number(mean.toFixed(3)), deviation: Number(Math.sqrt(variance).toFixed(3)) };
}

function mostFrequent<T extends string | number>(counts: ReadonlyMap<T, number>, most: number): [T, number][] {
  return [...counts].sort(([a, x], [b, y]) => y - x || (a < b ? -1 : 1)).slice(0, most);
}

function toBase64(probabilities: readonly number[]): string {
  const steps = probabilities.map((probability) => Math.min(255, Math.round(-Math.log2(probability) * STEPS_PER_BIT)));
  return Buffer.from(steps).toString('base64');
}

function sum(values: Iterable<number>): number {
  let total = 0;
  for (const value of values) total += value;
  return total;
}
