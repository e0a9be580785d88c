import { describe, expect, it } from 'vitest';
import type { Classifier, ItemVerdict } from '../../src/moderation/contract.ts';
import { CATEGORIES, perCategory } from '../../src/taxonomy.ts';
import { scoreTexts } from '../../training/evaluation/score.ts';

const verdict = (index: number, text: string): ItemVerdict => ({
  index,
  flagged: false,
  action: 'allow',
  score: Number(text) / 1000,
  categories: perCategory(() => false),
  category_scores: perCategory(() => 0),
  top_category: CATEGORIES[0],
  tokens: 1,
  windows: 1,
});

/** Scores a text by the number it is; later chunks answer sooner, and `bad` fails. */
const classifier: Classifier = {
  async classify({ items }) {
    await new Promise((resolve) => setTimeout(resolve, items[0] === '0' ? 20 : 1));
    const results = items.map((item, index) =>
      item === 'bad' ? { index, error: { code: 'inference_failed', message: 'no' } } : verdict(index, item as string),
    );
    const timing_ms = { tokenization: 0, queue: 0, inference: 0, total: 0 };
    return { checkpoint: 'fake', results, usage: { tokens: items.length }, timing_ms };
  },
};

describe('scoreTexts', () => {
  it('keeps the order whatever finishes first, and reports progress up to the end', async () => {
    const texts = Array.from({ length: 150 }, (_, i) => String(i));
    const seen: number[] = [];
    const verdicts = await scoreTexts(classifier, texts, { concurrency: 3, onProgress: (done) => seen.push(done) });
    expect(verdicts.map(({ score }) => score)).toEqual(texts.map((text) => Number(text) / 1000));
    expect(seen.at(-1)).toBe(150);
    expect(seen).toEqual(seen.toSorted((a, b) => a - b));
  });

  it('fails with the number of the text that could not be judged', async () => {
    const texts = [...Array(40).fill('1'), 'bad'];
    await expect(scoreTexts(classifier, texts, { concurrency: 2 })).rejects.toThrow('text 41: no');
  });

  it('gives nothing for nothing', async () => {
    expect(await scoreTexts(classifier, [], { concurrency: 2 })).toEqual([]);
  });
});
