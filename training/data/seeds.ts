import { readdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { CATEGORIES, type Category } from '../../src/taxonomy.ts';
import { readLines } from './lines.ts';
import { KINDS } from './rows.ts';

export const SEEDS_DIRECTORY = fileURLToPath(new URL('../seeds', import.meta.url));

const ID = new RegExp(`^([a-z]{2})-(${CATEGORIES.join('|')})-(\\d{4})-([us])$`);
const PAIR = new RegExp(`^par-(${CATEGORIES.join('|')})-(\\d{4})-([us])$`);
/** All control characters but line feed and tab, and the character that stands for broken UTF-8. */
const DAMAGED = /(?![\n\t])\p{Cc}|\uFFFD|\p{Cs}/u;

/**
 * A row of the corpus, stricter than what data files in general may hold: nothing is left out but what may be missing,
 * and the id says language, category and label (`en-privacy-0041-u`).
 */
const seedSchema = z
  .strictObject({
    id: z.string().regex(ID),
    text: z
      .string()
      .min(1)
      .refine((text) => text.trim() === text, 'has blanks around it')
      .refine((text) => !DAMAGED.test(text), 'has damaged characters'),
    lang: z.string().regex(/^[a-z]{2}$/),
    unsafe: z.union([z.literal(0), z.literal(1)]),
    categories: z.array(z.enum(CATEGORIES)).refine((list) => new Set(list).size === list.length, 'names one twice'),
    kind: z.enum(KINDS),
    pair: z.string().regex(PAIR).optional(),
    twin: z.string().regex(ID).optional(),
  })
  .refine((row) => row.categories.length > 0 === (row.unsafe === 1), {
    path: ['categories'],
    error: 'an unsafe row names its categories, a safe one none',
  })
  .refine((row) => row.id.startsWith(`${row.lang}-`), { path: ['id'], error: 'names another language' })
  .refine((row) => row.id.endsWith(row.unsafe ? '-u' : '-s'), { path: ['id'], error: 'names the other label' });

export type SeedRow = z.infer<typeof seedSchema>;

/** What is wrong with some rows. Names ids or lines, never texts. */
export interface Fault {
  readonly rule: 'schema' | 'links' | 'duplicates' | 'openings' | 'benchmark';
  readonly ids: readonly string[];
  readonly message: string;
}

/** The category that a row and its twin were written for; an unsafe row may name others besides or instead. */
export function homeCategory(row: Pick<SeedRow, 'id'>): Category {
  return (ID.exec(row.id) as RegExpExecArray)[2] as Category;
}

/** Reads every `LANG.jsonl` of the corpus. Lines that break the schema come back as faults, not as rows. */
export async function readSeeds(directory = SEEDS_DIRECTORY): Promise<{ rows: SeedRow[]; faults: Fault[] }> {
  const rows: SeedRow[] = [];
  const faults: Fault[] = [];
  for (const name of (await readdir(directory)).filter((entry) => entry.endsWith('.jsonl')).sort()) {
    let number = 0;
    for await (const line of readLines(join(directory, name))) {
      number += 1;
      const row = parseSeed(line, basename(name, '.jsonl'));
      if (typeof row !== 'string') rows.push(row);
      else faults.push({ rule: 'schema', ids: [`${name}:${number}`], message: row });
    }
  }
  return { rows, faults };
}

/** The row, or what is wrong with it. */
export function parseSeed(line: string, lang: string): SeedRow | string {
  let json: unknown;
  try {
    json = JSON.parse(line);
  } catch {
    return 'not JSON';
  }
  const row = seedSchema.safeParse(json);
  if (row.success) return row.data.lang === lang ? row.data : 'lang: not the language of the file';
  const [issue] = row.error.issues;
  return `${issue?.path.join('.') || 'row'}: ${issue?.message}`;
}
