import { CATEGORIES, type Category } from '../../src/taxonomy.ts';
import { heldOut } from '../data/held-out.ts';
import { KINDS, type Row } from '../data/rows.ts';
import { homeCategory, type SeedRow } from '../data/seeds.ts';
import { exactDuplicates, nearDuplicates } from './duplicates.ts';
import { groupPairs } from './links.ts';
import { countOpenings, type Opening } from './openings.ts';

/** Texts by label. */
export interface Counts {
  unsafe: number;
  safe: number;
}

/** A safe text counts under the category of its twin. */
export interface Cell extends Counts {
  readonly lang: string;
  readonly category: Category;
  readonly kind: Row['kind'];
}

export interface LanguageSummary extends Counts {
  readonly lang: string;
  /** Texts with a translation. */
  readonly parallel: number;
  readonly heldOut: number;
  /** Texts by length in characters, as `LENGTHS` cuts them. */
  readonly lengths: readonly number[];
  readonly opening: Pick<Opening, 'words' | 'share'> & { readonly texts: number };
}

export interface SeedsReport extends Counts {
  readonly texts: number;
  readonly heldOut: number;
  readonly languages: readonly LanguageSummary[];
  /** Those that hold a text; languages by size, then categories and kinds in their order. */
  readonly cells: readonly Cell[];
  readonly duplicates: {
    readonly exact: number;
    /** Pairs of texts. */
    readonly near: number;
    /** Pairs of a text and its own twin. */
    readonly nearTwins: number;
  };
  readonly parallel: { readonly groups: number; readonly texts: number };
  /** Unsafe texts, and how many of them have a safe twin. */
  readonly twins: { readonly unsafe: number; readonly withSafeTwin: number };
  /** The most frequent ones of all languages. */
  readonly openings: readonly (Pick<Opening, 'lang' | 'words' | 'share'> & { readonly texts: number })[];
}

/** Upper ends of the length bands in characters. */
export const LENGTHS = [60, 160, 450, Number.POSITIVE_INFINITY] as const;
const OPENINGS_SHOWN = 12;

export function reportSeeds(rows: readonly SeedRow[]): SeedsReport {
  const openings = countOpenings(rows);
  const near = nearDuplicates(rows).filter(({ similarity }) => similarity < 1);
  const groups = [...groupPairs(rows).values()];
  const held = heldOut(rows);
  const byId = new Map(rows.map((row) => [row.id, row]));
  const unsafe = rows.filter((row) => row.unsafe);
  return {
    texts: rows.length,
    ...countLabels(rows),
    heldOut: held.size,
    languages: languagesBySize(rows).map((lang) => summarise(lang, rows, openings, held)),
    cells: countCells(rows),
    duplicates: {
      exact: exactDuplicates(rows).length,
      near: near.filter(({ twins }) => !twins).length,
      nearTwins: near.filter(({ twins }) => twins).length,
    },
    parallel: { groups: groups.length, texts: groups.flat().length },
    twins: {
      unsafe: unsafe.length,
      withSafeTwin: unsafe.filter(({ twin }) => twin !== undefined && byId.get(twin)?.unsafe === 0).length,
    },
    openings: openings
      .slice(0, OPENINGS_SHOWN)
      .map(({ lang, words, share, ids }) => ({ lang, words, share, texts: ids.length })),
  };
}

/** Adds up cells. */
export function sumCounts(counts: readonly Counts[]): Counts {
  return counts.reduce((sum, { unsafe, safe }) => ({ unsafe: sum.unsafe + unsafe, safe: sum.safe + safe }), {
    unsafe: 0,
    safe: 0,
  });
}

function countLabels(rows: readonly SeedRow[]): Counts {
  const unsafe = rows.filter((row) => row.unsafe).length;
  return { unsafe, safe: rows.length - unsafe };
}

function languagesBySize(rows: readonly SeedRow[]): string[] {
  const sizes = new Map<string, number>();
  for (const { lang } of rows) sizes.set(lang, (sizes.get(lang) ?? 0) + 1);
  return [...sizes].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1)).map(([lang]) => lang);
}

function summarise(
  lang: string,
  all: readonly SeedRow[],
  openings: readonly Opening[],
  held: ReadonlySet<string>,
): LanguageSummary {
  const rows = all.filter((row) => row.lang === lang);
  const opening = openings.find((candidate) => candidate.lang === lang);
  const bands = rows.map(({ text }) => LENGTHS.findIndex((end) => text.length < end));
  return {
    lang,
    ...countLabels(rows),
    parallel: rows.filter(({ pair }) => pair !== undefined).length,
    heldOut: rows.filter(({ id }) => held.has(id)).length,
    lengths: LENGTHS.map((_, band) => bands.filter((own) => own === band).length),
    opening: { words: opening?.words ?? '', share: opening?.share ?? 0, texts: opening?.ids.length ?? 0 },
  };
}

function countCells(rows: readonly SeedRow[]): Cell[] {
  const cells = new Map<string, Cell>();
  const key = (lang: string, category: Category, kind: string) => `${lang} ${category} ${kind}`;
  for (const lang of languagesBySize(rows)) {
    for (const category of CATEGORIES) {
      for (const kind of KINDS) cells.set(key(lang, category, kind), { lang, category, kind, unsafe: 0, safe: 0 });
    }
  }
  for (const row of rows) {
    const cell = cells.get(key(row.lang, homeCategory(row), row.kind)) as Cell;
    cell[row.unsafe ? 'unsafe' : 'safe'] += 1;
  }
  return [...cells.values()].filter(({ unsafe, safe }) => unsafe + safe > 0);
}
