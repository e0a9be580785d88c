import type { Category } from '../../src/taxonomy.ts';
import { seededRandom } from '../../training/random.ts';

/** A toy task: two made-up words are unsafe, each in its category, and all other words are filler. */
export const MARKERS: readonly (readonly [string, Category])[] = [
  ['zorbat', 'hate'],
  ['quilmex', 'privacy'],
];
const FILLER = 'the a small old green house river garden walks sings near under bread apple winter friend'.split(' ');

/** Settings that learn it in about a second. */
export const TOY_SETTINGS = {
  threads: 1,
  encoder: {
    vocabSize: 400,
    ngrams: { orders: [2], buckets: 64 },
    embedding: 16,
    width: 16,
    layers: 1,
    heads: 2,
    feedForward: 16,
    maxTokens: 128,
  },
  characters: { buckets: 64 },
  dropout: 0.05,
  rowsPerEpoch: 1000,
  epochs: 5,
  batchTokens: 1024,
  batchRows: 24,
  accumulate: 2,
  learningRate: 0.02,
  embeddingRate: 5,
} as const;

export function toyRows(count: number): string {
  const random = seededRandom(7);
  const pick = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)] as T;
  let lines = '';
  for (let i = 0; i < count; i++) {
    const words = Array.from({ length: 5 + Math.floor(random() * 6) }, () => pick(FILLER));
    const marker = i % 2 === 0 ? pick(MARKERS) : undefined;
    if (marker) words.splice(Math.floor(random() * words.length), 0, marker[0]);
    const row = { text: words.join(' '), unsafe: marker !== undefined, lang: 'en' };
    lines += `${JSON.stringify(marker ? { ...row, categories: [marker[1]] } : row)}\n`;
  }
  return lines;
}
