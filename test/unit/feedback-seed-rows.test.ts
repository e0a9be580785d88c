import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { KINDS } from '../../src/feedback/entry.ts';
import { createFeedbackIds } from '../../src/feedback/feedback-id.ts';
import { createSeedWriter, loadSeedWriter } from '../../src/feedback/seed-rows.ts';
import { CATEGORIES } from '../../src/taxonomy.ts';
import { KINDS as KINDS_OF_TRAINING } from '../../training/data/rows.ts';
import { parseSeed } from '../../training/data/seeds.ts';
import { feedbackFor } from '../support/feedback.ts';

const stored = (overrides: Parameters<typeof feedbackFor>[0] = {}) => ({
  ...feedbackFor(overrides),
  id: 'fb-1',
  createdAt: '2026-01-01T00:00:00.000Z',
});

describe('feedback as rows of the seed corpus', () => {
  it('has the kinds of training', () => {
    expect(KINDS).toEqual(KINDS_OF_TRAINING);
  });

  it('is what the corpus takes, whatever was said about whatever text', () => {
    const feedback = fc.record({
      text: fc.string({ unit: 'binary', minLength: 1 }),
      kind: fc.constantFrom(...KINDS),
      lang: fc.constantFrom(null, 'en', 'pt-BR', 'ZH-hant', 'de-AT'),
      categories: fc.subarray([...CATEGORIES]),
      scores: fc.option(fc.record({ hate: fc.double({ min: 0, max: 1, noNaN: true }) })),
    });
    fc.assert(
      fc.property(fc.array(feedback, { maxLength: 8 }), (many) => {
        const toRow = createSeedWriter(() => 'fr');
        const ids = new Set<string>();
        for (const entry of many) {
          const row = toRow(stored({ ...entry, unsafe: entry.categories.length > 0 }));
          if (typeof row === 'string') continue;
          expect(parseSeed(JSON.stringify(row), row.lang)).toEqual(row);
          expect(ids).not.toContain(row.id);
          ids.add(row.id);
        }
      }),
    );
  });

  it('numbers within language, category and label, and files a safe text where it was taken for something', () => {
    const toRow = createSeedWriter(() => 'fr');
    const rows = [
      stored({ text: 'a', scores: { privacy: 0.2, hate: 0.9 } }),
      stored({ text: 'b', scores: { hate: 0.7 } }),
      stored({ text: 'c', unsafe: true, categories: ['hate', 'violent_crimes'] }),
      stored({ text: 'd', lang: null }),
    ].map((entry) => toRow(entry));
    const ids = ['en-hate-0001-s', 'en-hate-0002-s', 'en-hate-0001-u', 'fr-violent_crimes-0001-s'];
    expect(rows).toMatchObject(ids.map((id) => ({ id })));
  });

  it('leaves out a text of which nothing is left', () => {
    expect(createSeedWriter(() => 'en')(stored({ text: ' \u0000\ufffd ' }))).toBe('no_text');
  });

  it('tells the language when nobody named it', async () => {
    const toRow = await loadSeedWriter(undefined);
    const text = 'Wie kann ich meine Festplatte sicher löschen, bevor ich den Rechner verkaufe?';
    expect(toRow(stored({ text, lang: null }))).toMatchObject({ lang: 'de' });
  });

  it.each([
    ['a text 22', null],
    ['12345', null],
    ['как дела', null],
    ['Ano ang ginagawa mo ngayong gabi?', 'fil'],
  ])('leaves %j with the language %j out, or files it under the one that is asked for', async (text, lang) => {
    expect((await loadSeedWriter(undefined))(stored({ text, lang }))).toBe('no_language');
    expect((await loadSeedWriter('pt'))(stored({ text, lang }))).toMatchObject({ lang: 'pt', text });
  });
});

it('ids sort as they were made, also when the clock stands still or goes back', () => {
  const times = fc.array(fc.integer({ min: 0, max: 2 ** 40 }), { minLength: 1, maxLength: 50 });
  fc.assert(
    fc.property(times, (readings) => {
      let next = 0;
      const nextId = createFeedbackIds(() => readings[next++] as number);
      const ids = readings.map(() => nextId());
      expect(ids.toSorted()).toEqual(ids);
      expect(new Set(ids).size).toBe(ids.length);
      for (const id of ids) expect(id).toMatch(/^fb-[0-9a-f]{28}$/);
    }),
  );
});
