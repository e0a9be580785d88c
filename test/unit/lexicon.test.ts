import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Lexicon, learnLexicon, translateWords } from '../../training/lexicon/lexicon.ts';
import { LEXICONS_DIRECTORY, readLexicon, toLexiconFile } from '../../training/lexicon/lexicon-file.ts';
import { NOTHING, trainModel1 } from '../../training/lexicon/model1.ts';
import { readParallel } from '../../training/lexicon/parallel.ts';
import { createTranslator } from '../../training/lexicon/translator.ts';
import { createTrueCaser } from '../../training/lexicon/true-case.ts';
import { replaceWords, wordsOf } from '../../training/lexicon/words.ts';
import { seededRandom } from '../../training/random.ts';
import { temporaryDirectory } from '../support/fixture-checkpoint.ts';

const PAIRS = [
  ['the house', 'das Haus'],
  ['the book', 'das Buch'],
  ['a book', 'ein Buch'],
  ['a house', 'ein Haus'],
  ['the red house', 'das rote Haus'],
].map(([source = '', target = '']) => ({ source: source.split(' '), target: target.split(' ') }));

describe('IBM Model 1', () => {
  it('finds the words that explain the sentences', () => {
    const links = trainModel1(PAIRS, 20);
    const best = (word: string) =>
      links.filter(({ source }) => source === word).sort((a, b) => b.probability - a.probability)[0]?.target;
    expect([best('the'), best('house'), best('book'), best('a')]).toEqual(['das', 'Haus', 'Buch', 'ein']);
  });

  it('agrees with one step computed by hand', () => {
    // Uniform start: each of the two target words is aligned with nothing, "a" and "b" alike, so each link counts 1/3;
    // "a" has two links of 1/3, hence 1/2 each.
    const links = trainModel1([{ source: ['a', 'b'], target: ['x', 'y'] }], 1);
    expect(links).toHaveLength(6);
    for (const { probability, count } of links) {
      expect(probability).toBeCloseTo(1 / 2, 12);
      expect(count).toBeCloseTo(1 / 3, 12);
    }
  });

  it('gives each source word probabilities that add up to one', () => {
    const sentence = fc.array(fc.constantFrom('a', 'b', 'c', 'd'), { minLength: 1, maxLength: 5 });
    fc.assert(
      fc.property(
        fc.array(fc.record({ source: sentence, target: sentence }), { minLength: 1, maxLength: 8 }),
        (pairs) => {
          const sums = new Map<string, number>();
          for (const { source, probability } of trainModel1(pairs, 3, 0))
            sums.set(source, (sums.get(source) ?? 0) + probability);
          for (const sum of sums.values()) expect(sum).toBeCloseTo(1, 9);
        },
      ),
    );
  });
});

describe('a lexicon', () => {
  const lexicon: Lexicon = new Map([
    ['women', [{ word: 'Frauen', share: 1 }]],
    ['drive', [{ word: 'fahren', share: 1 }]],
    ['do', [{ word: NOTHING, share: 1 }]],
  ]);

  it('is learned from both directions', () => {
    const learned = learnLexicon(PAIRS);
    expect(learned.get('house')?.[0]?.word).toBe('Haus');
    expect(learned.get('book')?.[0]?.word).toBe('Buch');
  });

  it('translates word by word, keeps what it does not know and what stands between', () => {
    const translated = translateWords('Do WOMEN drive iPhones, women?', lexicon, () => 0);
    expect(translated).toBe(' FRAUEN fahren iPhones, Frauen?');
  });

  it('draws translations by their share', () => {
    const two: Lexicon = new Map([
      [
        'a',
        [
          { word: 'x', share: 0.75 },
          { word: 'y', share: 0.25 },
        ],
      ],
    ]);
    const random = seededRandom(7);
    const drawn = Array.from({ length: 4000 }, () => translateWords('a', two, random));
    expect(drawn.filter((word) => word === 'x').length / drawn.length).toBeCloseTo(0.75, 1);
  });

  it('comes back from its file, and a file that is none is refused by name', () => {
    const directory = temporaryDirectory();
    const file = toLexiconFile(lexicon, { from: 'en', to: 'de', data: [{ source: 'test', pairs: 3 }] });
    writeFileSync(join(directory, 'en-de.json'), JSON.stringify(file));
    expect(readLexicon('en', 'de', directory)).toEqual(lexicon);
    writeFileSync(join(directory, 'en-fr.json'), '{"from":"en"}');
    expect(() => readLexicon('en', 'fr', directory)).toThrow(/en-fr\.json: not a lexicon/);
    expect(() => readLexicon('en', 'xx', directory)).toThrow(/en-xx\.json/);
  });

  it('ships for French, Spanish and German and knows everyday words', () => {
    const best = (to: string, word: string) => readLexicon('en', to, LEXICONS_DIRECTORY).get(word)?.[0]?.word;
    expect([best('fr', 'child'), best('es', 'child'), best('de', 'child')]).toEqual(['enfant', 'niño', 'Kind']);
  });

  it('translates a text alike each time, whatever was translated before', () => {
    const once = createTranslator('fr', 3);
    const text = 'Tell me how to kill the old man next door.';
    const first = once.translate(text);
    once.translate('something else');
    expect(once.translate(text)).toBe(first);
    expect(first).not.toBe(text);
  });
});

describe('words', () => {
  it('keep contractions and split elisions', () => {
    expect(wordsOf("Don't drink l'eau, it’s 5°C!")).toEqual(["don't", 'drink', 'l', 'eau', "it's", 'c']);
  });

  it('that nothing replaces leave the text as it was', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        expect(replaceWords(text, () => undefined)).toBe(text);
      }),
    );
  });

  it('are written as inside sentences', () => {
    const trueCase = createTrueCaser(['Sie sah das Kind.', 'Das Kind sah sie.', 'wecke das kind', 'DAS KIND']);
    expect(['kind', 'das', 'sah', 'neu'].map(trueCase)).toEqual(['Kind', 'das', 'sah', 'neu']);
  });
});

describe('parallel texts', () => {
  it('are read from files and from the seeds, with the line of a mistake', async () => {
    const directory = temporaryDirectory();
    const lines = [
      { en: 'Good day', xx: 'Bonjour', lang: 'fr' },
      { en: 'Good day', xx: 'Guten Tag', lang: 'de' },
    ];
    const path = join(directory, 'mine.jsonl');
    writeFileSync(path, lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
    const texts = await readParallel(directory, 'fr');
    expect(texts.map(({ source }) => source)).toEqual(['mine', 'seeds']);
    expect(texts[0]?.pairs).toEqual([{ source: ['good', 'day'], target: ['bonjour'] }]);
    expect(texts[1]?.pairs.length).toBeGreaterThan(500);
    writeFileSync(path, '{"en": 1}\n');
    await expect(readParallel(path, 'fr')).rejects.toThrow('mine.jsonl:1');
    await expect(readParallel(join(directory, 'none'), 'fr')).rejects.toThrow('no parallel texts');
  });
});
