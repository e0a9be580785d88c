import { type Category, categoryIndex } from '../../src/taxonomy.ts';
import { normalize } from '../../src/text/normalize.ts';
import type { TextTokenizer } from '../../src/text/tokenizer.ts';
import { hidesSomething } from '../../src/text/views/hidden.ts';
import { readText } from '../../src/text/views/readings.ts';
import { readDataset, type SourcedRow } from '../data/dataset.ts';
import { disguiseText } from '../data/disguise-text.ts';
import type { Row } from '../data/rows.ts';
import type { Translator } from '../lexicon/translator.ts';
import { derivedSeed, seededRandom } from '../random.ts';
import { type Corpus, CorpusBuilder, type CorpusRow } from './corpus.ts';

export interface DataSummary {
  readonly source: string;
  readonly rows: number;
  readonly license: string;
}

export interface LoadedCorpora {
  readonly train: Corpus;
  /** For thresholds and the promotion gate; never trained on. */
  readonly heldOut: Corpus;
  readonly sources: readonly DataSummary[];
  readonly languages: readonly string[];
}

/** One in this many rows of data that has no held-out part of its own is kept out of training. */
const HELD_OUT_EVERY = 50;
/** Languages with fewer rows than this are not claimed. */
const CLAIM_ROWS = 150;
/** Names of copies in the list of sources. */
const TRANSLATIONS = 'word-by-word translations';
const DISGUISES = 'rows in disguise';
const UNCOVERED = 'disguises as the views read them';
/** Only about this many characters a token of a long text are copied; the rest would be cut off anyway. */
const CHARACTERS_PER_TOKEN = 8;

/** What a machine makes of training rows. */
export interface Copies {
  /** A row is also added in their languages, unless there is a version of it that people wrote. */
  readonly translators: readonly Translator[];
  /** Share of the rows that a language gets; all where it is not named. */
  readonly translatedShare?: Readonly<Record<string, number>>;
  /** Share of the rows, translated ones included, that are also added in disguise and as the views read that. */
  readonly disguisedShare: number;
  /** Which rows these are, and in which disguise, is a function of it and the text. */
  readonly seed: number;
}

const NO_COPIES: Copies = { translators: [], disguisedShare: 0, seed: 0 };

/**
 * Reads and tokenises data sets, and adds copies of training rows. Long texts keep their first `maxTokens`. Sources marked unusable are left out. Throws
 * as `readDataset` does, and when a class is missing on either side or no language has enough rows: a run would otherwise
 * fail when it publishes.
 */
export async function loadCorpora(
  names: readonly string[],
  tokenizer: TextTokenizer,
  maxTokens: number,
  copies: Copies = NO_COPIES,
  onRow: (rows: number) => void = () => {},
): Promise<LoadedCorpora> {
  const train = new CorpusBuilder();
  const heldOut = new CorpusBuilder();
  const rowsOf = new Map<string, { rows: number; license: string }>();
  const rowsPerLanguage = new Map<string, number>();
  const copied = { translated: 0, disguised: 0, uncovered: 0 };
  let total = 0;
  for await (const { row, heldOut: isHeldOut, license } of splitRows(names)) {
    const target = isHeldOut ? heldOut : train;
    target.add(toCorpusRow(row, row.source, tokenizer, maxTokens));
    if (target === train) {
      for (const { row: copy, origin } of copiesOf(row, copies, maxTokens)) {
        train.add({ ...toCorpusRow(copy, row.source, tokenizer, maxTokens, asRead(copy.text)), origin });
        copied[origin]++;
      }
    }
    const summary = rowsOf.get(row.source) ?? { rows: 0, license };
    if (target === train) summary.rows++;
    rowsOf.set(row.source, summary);
    rowsPerLanguage.set(row.lang, (rowsPerLanguage.get(row.lang) ?? 0) + 1);
    onRow(++total);
  }
  const corpora = { train: train.build(), heldOut: heldOut.build() };
  requireBothLabels(corpora.train, 'to train');
  requireBothLabels(corpora.heldOut, 'among the held-out ones to calibrate');
  const languages = [...rowsPerLanguage]
    .filter(([, rows]) => rows >= CLAIM_ROWS)
    .map(([lang]) => lang)
    .sort();
  if (languages.length === 0) throw new RangeError(`no language has ${CLAIM_ROWS} rows, the least to claim one`);
  return {
    ...corpora,
    sources: [
      ...[...rowsOf]
        .map(([source, summary]) => ({ source, ...summary }))
        .sort((a, b) => (a.source < b.source ? -1 : 1)),
      ...[
        { source: TRANSLATIONS, rows: copied.translated, license: 'as their originals' },
        { source: DISGUISES, rows: copied.disguised, license: 'as their originals' },
        { source: UNCOVERED, rows: copied.uncovered, license: 'as their originals' },
      ].filter(({ rows }) => rows > 0),
    ],
    languages,
  };
}

function requireBothLabels({ unsafe }: Corpus, purpose: string): void {
  if (unsafe.includes(0) && unsafe.includes(1)) return;
  throw new RangeError(`both safe and unsafe rows are needed ${purpose}`);
}

export interface SplitRow {
  readonly row: SourcedRow;
  /** Kept out of training. */
  readonly heldOut: boolean;
  readonly license: string;
}

/** Rows of data sets that may be used, each with its side. Throws as `readDataset` and `readRows` do. */
export async function* splitRows(names: readonly string[]): AsyncGenerator<SplitRow> {
  for (const { dataset, part } of parts(names)) {
    const { rows, sourceInfo } = await readDataset(dataset);
    for await (const row of rows()) {
      const { usable, license } = sourceInfo(row.source);
      if (usable) yield { row, heldOut: part === 'held-out' || (part === 'split' && isHeldOut(row.text)), license };
    }
  }
}

interface Part {
  readonly dataset: string;
  readonly part: 'train' | 'held-out' | 'split';
}

/** The seeds bring their own held-out tenth, in which translations and twins stay together. */
function parts(names: readonly string[]): readonly Part[] {
  return names.flatMap((name): Part[] =>
    name === 'seeds'
      ? [
          { dataset: 'seeds:train', part: 'train' },
          { dataset: 'seeds:held-out', part: 'held-out' },
        ]
      : [{ dataset: name, part: 'split' }],
  );
}

/** As the server reads a text at first: what hides something in characters that normalisation removes it also reads raw. */
function asRead(text: string): string {
  const normalized = normalize(text).text;
  return hidesSomething(text, normalized) ? text : normalized;
}

interface Copy {
  readonly row: SourcedRow;
  readonly origin: 'translated' | 'disguised' | 'uncovered';
}

function* copiesOf(
  row: SourcedRow,
  { translators, translatedShare = {}, disguisedShare, seed }: Copies,
  maxTokens: number,
): Generator<Copy> {
  const text = row.text.slice(0, maxTokens * CHARACTERS_PER_TOKEN);
  const isDrawn = ({ to }: Translator): boolean => {
    const share = translatedShare[to] ?? 1;
    return share === 1 || seededRandom(derivedSeed(seed, `translate ${to} ${text}`))() < share;
  };
  const fitting = row.pair === undefined ? translators.filter((one) => one.from === row.lang && isDrawn(one)) : [];
  const translations = fitting.map(({ to, translate }) => ({ ...row, text: translate(text), lang: to }));
  for (const translation of translations) yield { row: translation, origin: 'translated' };
  for (const original of [{ ...row, text }, ...translations]) {
    const random = seededRandom(derivedSeed(seed, `disguise ${original.text}`));
    if (random() >= disguisedShare) continue;
    const disguised = disguiseText(original.text, random);
    if (disguised === original.text) continue;
    yield { row: { ...original, text: disguised }, origin: 'disguised' };
    const uncovered = uncover(disguised);
    if (uncovered !== undefined && uncovered !== normalize(original.text).text) {
      yield { row: { ...original, text: uncovered }, origin: 'uncovered' };
    }
  }
}

/** The clearest reading of a disguised text that the server scores; `undefined` where no view reads it differently. */
function uncover(disguised: string): string | undefined {
  return readText(disguised).findLast(({ view }) => view !== 'normalized' && view !== 'raw')?.text.text;
}

/** The row's text normalised, or another `text` in its place. */
export function toCorpusRow(
  row: Pick<Row, 'text' | 'lang' | 'unsafe'> & { readonly categories: readonly Category[] | null },
  source: string,
  tokenizer: TextTokenizer,
  maxTokens: number,
  text = normalize(row.text).text,
): CorpusRow {
  const { prefix, suffix } = tokenizer;
  const body = tokenizer.encode(text).slice(0, maxTokens - prefix.length - suffix.length);
  return {
    ids: [...prefix, ...body, ...suffix],
    unsafe: row.unsafe,
    categories: row.categories === null ? null : row.categories.map(categoryIndex),
    source,
    lang: row.lang,
  };
}

/** FNV-1a of the text, so that a row stays on its side whatever else is in the data. */
function isHeldOut(text: string): boolean {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193) >>> 0;
  return hash % HELD_OUT_EVERY === 0;
}
