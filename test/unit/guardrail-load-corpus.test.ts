import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { categoryIndex } from '../../src/taxonomy.ts';
import { loadTokenizer } from '../../src/text/tokenizer.ts';
import { readText } from '../../src/text/views/readings.ts';
import { type Corpus, CorpusBuilder, rowLength } from '../../training/guardrail/corpus.ts';
import { loadCorpora } from '../../training/guardrail/load-corpus.ts';
import { tokenizerJson } from '../../training/tokenizer/template.ts';
import { temporaryDirectory } from '../support/fixture-checkpoint.ts';

const tokenizer = loadTokenizer(tokenizerJson([]));

interface RowJson {
  readonly text: string;
  readonly unsafe: boolean;
  readonly lang?: string;
  readonly source?: string;
  readonly pair?: string;
  readonly categories?: readonly string[] | null;
}

function dataFile(rows: readonly RowJson[]): string {
  const path = join(temporaryDirectory(), 'rows.jsonl');
  writeFileSync(path, rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
  return path;
}

/** Enough for rows of both labels on both sides. */
function manyRows(count = 800, lang = 'en'): RowJson[] {
  return Array.from({ length: count }, (_, i) => ({
    text: `${lang} garden ${i}`,
    unsafe: i % 2 === 1,
    lang,
    ...(i % 2 === 1 ? { categories: ['hate'] } : {}),
  }));
}

const texts = (corpus: Corpus): string[] =>
  Array.from(corpus.unsafe, (_, row) =>
    tokenizer.decode([...corpus.ids.subarray(corpus.offsets[row], corpus.offsets[row + 1])].slice(1, -1)),
  );

describe('rows on their way into training', () => {
  it('are all there, on one side each, and stay on it when other rows come or go', async () => {
    const rows = manyRows();
    const { train, heldOut } = await loadCorpora([dataFile(rows)], tokenizer, 64);
    expect([...texts(train), ...texts(heldOut)].sort()).toEqual(rows.map(({ text }) => text).sort());
    expect(heldOut.unsafe.length).toBeGreaterThan(4);
    expect(heldOut.unsafe.length).toBeLessThan(40);
    const more = [...manyRows(300, 'fr'), ...rows.toReversed()];
    const again = await loadCorpora([dataFile(more)], tokenizer, 64);
    expect(texts(again.heldOut).filter((text) => text.startsWith('en'))).toEqual(texts(heldOut).toReversed());
  });

  it('keep label, categories and whether these are known', async () => {
    const special: RowJson[] = [
      { text: 'two categories', unsafe: true, lang: 'en', categories: ['hate', 'privacy'] },
      { text: 'some category', unsafe: true, lang: 'en', categories: null },
      { text: 'nothing bad', unsafe: false, lang: 'en' },
    ];
    const { train } = await loadCorpora([dataFile([...special, ...manyRows()])], tokenizer, 64);
    expect([...train.unsafe.subarray(0, 3)]).toEqual([1, 1, 0]);
    expect([...train.known.subarray(0, 3)]).toEqual([1, 0, 1]);
    const bits = (1 << categoryIndex('hate')) | (1 << categoryIndex('privacy'));
    expect([...train.categories.subarray(0, 3)]).toEqual([bits, 0, 0]);
  });

  it('are added in other languages too, but neither held-out rows nor texts that people have translated', async () => {
    const shout = { from: 'en', to: 'fr', translate: (text: string) => text.replace('garden', 'jardin') };
    const path = dataFile([...manyRows(), { text: 'by people', unsafe: true, lang: 'en', pair: '7' }]);
    const copies = { translators: [shout], disguisedShare: 0, seed: 1 };
    const { train, heldOut, sources } = await loadCorpora([path], tokenizer, 64, copies);
    const translated = train.groups.filter(({ origin }) => origin === 'translated');
    expect(new Set(translated.map(({ lang }) => lang))).toEqual(new Set(['fr']));
    const originals = texts(train).filter((text) => text.startsWith('en garden'));
    const translations = texts(train).filter((text) => text.startsWith('en jardin'));
    expect(translations).toEqual(originals.map((text) => text.replace('garden', 'jardin')));
    expect(texts(heldOut).filter((text) => text.includes('jardin'))).toEqual([]);
    expect(sources.at(-1)).toMatchObject({ source: 'word-by-word translations', rows: translations.length });
  });

  it('are added in a language as often as its share says, the same ones again', async () => {
    const to = (lang: string) => ({ from: 'en', to: lang, translate: (text: string) => `${lang} ${text}` });
    const copies = { translators: [to('fr'), to('it')], translatedShare: { it: 0.25 }, disguisedShare: 0, seed: 1 };
    const { train } = await loadCorpora([dataFile(manyRows())], tokenizer, 64, copies);
    const count = (start: string) => texts(train).filter((text) => text.startsWith(start)).length;
    expect(count('fr ')).toBe(count('en '));
    expect(count('it ') / count('en ')).toBeGreaterThan(0.18);
    expect(count('it ') / count('en ')).toBeLessThan(0.32);
    expect(texts((await loadCorpora([dataFile(manyRows())], tokenizer, 64, copies)).train)).toEqual(texts(train));
  });

  it('are added in disguise too: a share of them, translations included, of both labels, none held out', async () => {
    const shout = { from: 'en', to: 'fr', translate: (text: string) => text.replace('garden', 'jardin') };
    const copies = { translators: [shout], disguisedShare: 0.25, seed: 1 };
    const { train, heldOut, sources } = await loadCorpora([dataFile(manyRows())], tokenizer, 64, copies);
    const disguised = train.groups.filter(({ origin }) => origin === 'disguised');
    expect(new Set(disguised.map(({ lang, unsafe }) => `${lang} ${unsafe}`)).size).toBe(4);
    const count = disguised.reduce((sum, { rows }) => sum + rows.length, 0);
    const written = train.groups
      .filter(({ origin }) => origin === 'written')
      .reduce((n, { rows }) => n + rows.length, 0);
    expect(count / (2 * written)).toBeGreaterThan(0.18);
    expect(count / (2 * written)).toBeLessThan(0.32);
    expect(sources).toContainEqual({ source: 'rows in disguise', rows: count, license: 'as their originals' });
    expect(texts(heldOut).filter((text) => !/^en garden \d+$/.test(text))).toEqual([]);
    const again = await loadCorpora([dataFile(manyRows())], tokenizer, 64, copies);
    expect(texts(again.train)).toEqual(texts(train));
  });

  it('are added as the views read their disguise, where that is not what it was', async () => {
    const copies = { translators: [], disguisedShare: 0.5, seed: 1 };
    const { train, sources } = await loadCorpora([dataFile(manyRows())], tokenizer, 64, copies);
    const all = texts(train);
    const textsOf = (wanted: string) =>
      train.groups.filter(({ origin }) => origin === wanted).flatMap(({ rows }) => [...rows].map((row) => all[row]));
    const uncovered = textsOf('uncovered');
    expect(uncovered.length).toBeGreaterThan(0);
    expect(sources.at(-1)).toMatchObject({ source: 'disguises as the views read them', rows: uncovered.length });
    const read = textsOf('disguised').flatMap((text) => readText(text as string).map((reading) => reading.text.text));
    for (const text of uncovered) expect(read).toContain(text);
    for (const text of textsOf('written')) expect(uncovered).not.toContain(text);
  });

  it('are normalised, framed and cut to the longest that the model takes', async () => {
    const first: RowJson = { text: `ｗｉｄｅ ${'x'.repeat(100)}`, unsafe: false, lang: 'en' };
    const { train } = await loadCorpora([dataFile([first, ...manyRows()])], tokenizer, 16);
    expect(rowLength(train, 0)).toBe(16);
    const ids = [...train.ids.subarray(0, 16)];
    expect(ids.slice(0, tokenizer.prefix.length)).toEqual(tokenizer.prefix);
    expect(ids.slice(-tokenizer.suffix.length)).toEqual(tokenizer.suffix);
    expect(texts(train)[0]).toMatch(/^wide x+$/);
  });

  it('are counted per source and license; a source that may not be used is left out', async () => {
    const path = dataFile([...manyRows(), { text: 'not for us', unsafe: false, lang: 'de', source: 'closed' }]);
    writeFileSync(path.replace('.jsonl', '.meta.json'), JSON.stringify({ source: 'closed', usable: false }));
    const { sources, languages, train } = await loadCorpora([path], tokenizer, 64);
    expect(sources).toEqual([{ source: 'rows', rows: train.unsafe.length, license: 'unknown' }]);
    expect(languages).toEqual(['en']);
  });

  it('claim only languages with enough of them', async () => {
    const rows = [...manyRows(), ...manyRows(149, 'fr'), ...manyRows(150, 'de')];
    expect((await loadCorpora([dataFile(rows)], tokenizer, 64)).languages).toEqual(['de', 'en']);
  });
});

const MANY_LANGUAGES = ['ar', 'de', 'es', 'fr', 'hi', 'it', 'ja', 'ko', 'nl', 'pl'];

describe('data that no checkpoint can be made of is refused before training', () => {
  it.each<[string, RowJson[], RegExp]>([
    ['safe rows only', manyRows().map((row) => ({ text: row.text, unsafe: false, lang: 'en' })), /needed to train/],
    ['too few rows to hold out', manyRows(6), /needed among the held-out ones/],
    [
      'no language with enough rows',
      manyRows().map((row, i) => ({ ...row, lang: MANY_LANGUAGES[i % 10]! })),
      /150 rows/,
    ],
  ])('%s', async (_, rows, message) => {
    await expect(loadCorpora([dataFile(rows)], tokenizer, 64)).rejects.toThrow(message);
  });
});

describe('the corpus builder', () => {
  it('puts rows of one source, language and label into one group, in order', () => {
    const builder = new CorpusBuilder();
    const row = (ids: number[], unsafe: boolean, source: string, lang: string) =>
      builder.add({ ids, unsafe, categories: unsafe ? [3] : [], source, lang });
    row([1, 2], true, 'a', 'en');
    row([], false, 'a', 'en');
    row([65_535], true, 'a', 'fr');
    row([4, 5, 6], true, 'a', 'en');
    row([7], true, 'b', 'en');
    const corpus = builder.build();
    expect([...corpus.ids]).toEqual([1, 2, 65_535, 4, 5, 6, 7]);
    expect([...corpus.offsets]).toEqual([0, 2, 2, 3, 6, 7]);
    expect(rowLength(corpus, 3)).toBe(3);
    expect(corpus.groups.map(({ source, lang, unsafe, rows }) => [source, lang, unsafe, [...rows]])).toEqual([
      ['a', 'en', true, [0, 3]],
      ['a', 'en', false, [1]],
      ['a', 'fr', true, [2]],
      ['b', 'en', true, [4]],
    ]);
  });

  it('grows beyond its first reservation, by one row larger than it too', () => {
    const builder = new CorpusBuilder();
    const large = new Uint16Array(3 << 20).fill(9);
    builder.add({ ids: [1], unsafe: false, categories: [], source: 'a', lang: 'en' });
    builder.add({ ids: large, unsafe: false, categories: [], source: 'a', lang: 'en' });
    builder.add({ ids: [2], unsafe: true, categories: null, source: 'a', lang: 'en' });
    const { ids, offsets, known } = builder.build();
    expect([...offsets]).toEqual([0, 1, 1 + large.length, 2 + large.length]);
    expect([ids[0], ids[1], ids.at(-2), ids.at(-1)]).toEqual([1, 9, 9, 2]);
    expect([...known]).toEqual([1, 1, 0]);
  });
});
