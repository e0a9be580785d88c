import { describe, expect, it } from 'vitest';
import { parseSeed, type SeedRow } from '../../training/data/seeds.ts';
import { checkSeeds } from '../../training/seeds-report/check.ts';
import { benchmarkFaults } from '../../training/seeds-report/duplicates.ts';
import { countOpenings } from '../../training/seeds-report/openings.ts';
import { openingWords } from '../../training/seeds-report/words.ts';
import { seedPair, seedTranslations } from '../support/seed-rows.ts';

/** Two pairs and a pair in four languages, without a fault. */
const corpus = () => [...seedPair('en', 'privacy', 1), ...seedPair('en', 'privacy', 2), ...seedTranslations('hate', 1)];

/** The corpus with the row `id` changed. */
const planted = (id: string, change: Partial<SeedRow>) =>
  corpus().map((row) => (row.id === id ? { ...row, ...change } : row));

describe('parseSeed', () => {
  const [row] = seedPair('en', 'privacy', 1);
  const parse = (change: object) => parseSeed(JSON.stringify({ ...row, ...change }), 'en');

  it('takes a whole row, and one without links', () => {
    expect(parse({})).toEqual(row);
    expect(parse({ twin: undefined })).toMatchObject({ id: row.id });
  });

  it.each([
    ['an id of another form', { id: 'en-1' }, 'id: '],
    ['an id of an unknown category', { id: 'en-rude-0001-u' }, 'id: '],
    ['an id of another language', { id: 'fr-privacy-0001-u' }, 'id: names another language'],
    ['an id with the other label', { id: 'en-privacy-0001-s' }, 'id: names the other label'],
    ['no text', { text: '' }, 'text: '],
    ['blanks around the text', { text: ' a' }, 'text: has blanks around it'],
    ['a control character', { text: 'a\u0007b' }, 'text: has damaged characters'],
    ['half a character', { text: 'a\ud83d b' }, 'text: has damaged characters'],
    ['a replacement character', { text: 'caf\ufffd' }, 'text: has damaged characters'],
    ['a label of another kind', { unsafe: true }, 'unsafe: '],
    ['an unsafe row without a category', { categories: [] }, 'categories: '],
    ['a safe row with one', { id: 'en-privacy-0001-s', unsafe: 0 }, 'categories: '],
    ['a category twice', { categories: ['hate', 'hate'] }, 'categories: names one twice'],
    ['an unknown kind', { kind: 'poem' }, 'kind: '],
    ['a pair of another form', { pair: 'x' }, 'pair: '],
    ['a field of its own', { note: 'x' }, 'row: '],
    ['another language than the file', { lang: 'fr', id: 'fr-privacy-0001-u' }, 'lang: '],
  ])('refuses %s', (_, change, message) => {
    expect(parse(change)).toContain(message);
  });

  it('refuses what is not JSON, and never shows the text', () => {
    expect(parseSeed('secret', 'en')).toBe('not JSON');
  });
});

describe('checkSeeds', () => {
  it('has nothing against a sound corpus', () => {
    expect(checkSeeds(corpus())).toEqual([]);
  });

  it.each<[string, SeedRow[], string, string]>([
    ['an id twice', [...corpus(), ...seedPair('en', 'privacy', 1)], 'links', 'the id is used twice'],
    ['no twin', planted('en-privacy-0001-u', { twin: undefined }), 'links', 'has no twin'],
    ['a twin that is missing', corpus().slice(1), 'links', 'its twin en-privacy-0001-u does not exist'],
    ['a twin of the same label', planted('en-privacy-0001-u', { twin: 'en-privacy-0002-u' }), 'links', 'same label'],
    ['a twin elsewhere', planted('en-privacy-0001-u', { twin: 'en-privacy-0002-s' }), 'links', 'points elsewhere'],
    ['a twin of another language', planted('en-privacy-0001-s', { lang: 'fr' }), 'links', 'in another language'],
    ['a pair of one', planted('en-privacy-0001-u', { pair: 'par-privacy-0009-u' }), 'links', 'has one text'],
    ['a language twice', planted('fr-hate-5001-u', { lang: 'en' }), 'links', 'has a language twice'],
    ['both labels', planted('fr-hate-5001-u', { unsafe: 0 }), 'links', 'has both labels'],
    [
      'other categories',
      planted('fr-hate-5001-u', { categories: ['hate', 'privacy'] }),
      'links',
      'different categories',
    ],
    ['another kind', planted('fr-hate-5001-u', { kind: 'qa' }), 'links', 'has different kinds'],
    ['twins apart', planted('fr-hate-5001-s', { pair: undefined }), 'links', 'no translations of each other'],
  ])('finds %s', (_, rows, rule, message) => {
    const found = checkSeeds(rows).filter((fault) => fault.rule === rule);
    expect(found.map((fault) => fault.message)).toContainEqual(expect.stringContaining(message));
  });

  it('finds one text twice, in another language too', () => {
    const [{ text }] = seedPair('en', 'privacy', 1);
    for (const id of ['en-privacy-0002-s', 'en-privacy-0001-s', 'de-hate-5001-u']) {
      const rows = planted(id, { text: `${text.toUpperCase()}!` });
      expect(checkSeeds(rows)).toEqual([
        { rule: 'duplicates', ids: ['en-privacy-0001-u', id], message: 'have the same text' },
      ]);
    }
  });

  it('lets translations have one text', () => {
    const [{ text }] = seedTranslations('hate', 1) as [SeedRow];
    expect(checkSeeds(planted('de-hate-5001-u', { text }))).toEqual([]);
  });

  it('finds near-duplicates of a language, but for twins', () => {
    const [{ text }] = seedPair('en', 'privacy', 1);
    const near = `${text} too`;
    expect(checkSeeds(planted('en-privacy-0002-u', { text: near }))).toEqual([
      { rule: 'duplicates', ids: ['en-privacy-0001-u', 'en-privacy-0002-u'], message: expect.stringContaining('%') },
    ]);
    expect(checkSeeds(planted('en-privacy-0001-s', { text: near }))).toEqual([]);
    expect(checkSeeds(planted('fr-hate-5001-u', { text: near }))).toEqual([]);
  });

  it('allows an opening twice in a small language, and up to 1 % in a large one', () => {
    const opened = (texts: number, alike: number) =>
      Array.from({ length: texts / 2 }, (_, i) => seedPair('en', 'privacy', i + 1))
        .flat()
        .map((row, i) => (i < alike ? { ...row, text: `Tell me, WHO is ${row.text}` } : row));
    const openings = (rows: SeedRow[]) => checkSeeds(rows).filter(({ rule }) => rule === 'openings');
    expect(openings(opened(20, 2))).toEqual([]);
    expect(openings(opened(20, 3))).toEqual([
      {
        rule: 'openings',
        ids: expect.arrayContaining(['en-privacy-0001-u']),
        message: expect.stringContaining('15.0 %'),
      },
    ]);
    expect(openings(opened(400, 4))).toEqual([]);
    expect(openings(opened(400, 5))).toHaveLength(1);
  });
});

describe('openings', () => {
  it('are four words, without case and punctuation, in any script', () => {
    expect(openingWords('“Tell ME, please: who’s there?')).toBe('tell me please who’s');
    expect(openingWords('three words only')).toBeUndefined();
    expect(openingWords('我想知道怎么做')?.split(' ')).toHaveLength(4);
    expect(openingWords('どうすればいいですか')?.split(' ')).toHaveLength(4);
    expect(openingWords('मुझे बताओ कि कैसे करें')).toBe('मुझे बताओ कि कैसे');
  });

  it('are counted by language, the most frequent first', () => {
    const rows = corpus().map((row) => ({ ...row, text: row.lang === 'fr' ? row.text : `a b c d ${row.id}` }));
    expect(countOpenings(rows)[0]).toMatchObject({ lang: 'en', words: 'a b c d', share: 1 });
    expect(countOpenings(rows)[0]?.ids).toHaveLength(6);
  });
});

describe('benchmarkFaults', () => {
  async function* benchmark(...texts: string[]) {
    for (const [i, text] of texts.entries()) yield { place: `xs ${i + 1}`, text };
  }

  it('names the row and the place of a benchmark text that it repeats, in whatever language', async () => {
    const rows = corpus();
    const [, { text: safe }] = seedPair('en', 'privacy', 2);
    const french = rows.find(({ id }) => id === 'fr-hate-5001-u') as SeedRow;
    const other = 'nobody wrote this text for the corpus';
    expect(await benchmarkFaults(rows, benchmark(other, `${safe}.`, `${french.text} oui`))).toEqual([
      { rule: 'benchmark', ids: ['en-privacy-0002-s'], message: 'has 100 % of its text in common with xs 2' },
      { rule: 'benchmark', ids: ['fr-hate-5001-u'], message: expect.stringContaining('in common with xs 3') },
    ]);
  });
});
