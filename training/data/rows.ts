import { z } from 'zod';
import { CATEGORIES, type Category } from '../../src/taxonomy.ts';
import { readLines } from './lines.ts';

export const KINDS = ['prompt', 'response', 'qa', 'comment', 'dialogue'] as const;

const label = z.union([z.boolean(), z.literal(0).transform(() => false), z.literal(1).transform(() => true)]);
const identifier = z.union([z.string(), z.number()]).transform(String);

const languageNames = new Intl.DisplayNames('en', { type: 'language', fallback: 'none' });
const languages = new Map<string, boolean>();

function isLanguage(tag: string): boolean {
  const known = languages.get(tag) ?? hasName(tag);
  languages.set(tag, known);
  return known;
}

function hasName(tag: string): boolean {
  try {
    return tag === 'und' || languageNames.of(tag) !== undefined;
  } catch {
    return false;
  }
}

/** One labelled text as data files hold it, a JSON object a line. Fields that are not named here are left out. */
const rowSchema = z
  .object({
    text: z.string(),
    unsafe: label,
    /** BCP 47; `und` where a file does not say. */
    lang: z.string().refine(isLanguage, 'no language that is known').default('und'),
    /** `null`: unsafe in a category that nobody named. */
    categories: z.array(z.enum(CATEGORIES)).nullable().optional(),
    kind: z.enum(KINDS).default('prompt'),
    source: z.string().min(1).optional(),
    benchmark: z.string().min(1).optional(),
    id: identifier.optional(),
    /** Shared by translations of one text. */
    pair: identifier.optional(),
    /** Id of the text with the same words and the other label. */
    twin: identifier.optional(),
  })
  .refine((row) => row.unsafe || !row.categories?.length, { path: ['categories'], error: 'a safe row has none' })
  .transform((row) => ({ ...row, categories: knownCategories(row.unsafe, row.categories) }));

export type Row = z.infer<typeof rowSchema>;

function knownCategories(unsafe: boolean, categories: Category[] | null | undefined): Category[] | null {
  if (!unsafe) return [];
  return categories?.length ? categories : null;
}

/** Throws an `Error` that names file, line and field; a damaged `.gz` names its file. */
export async function* readRows(file: string): AsyncGenerator<Row> {
  let number = 0;
  try {
    for await (const line of readLines(file)) {
      number += 1;
      if (line.trim() !== '') yield parseRow(line, `${file}:${number}`);
    }
  } catch (error) {
    if (error instanceof RowError) throw error;
    throw new Error(`${file}: ${(error as Error).message}`, { cause: error });
  }
}

class RowError extends Error {}

function parseRow(line: string, place: string): Row {
  let json: unknown;
  try {
    json = JSON.parse(line);
  } catch (cause) {
    throw new RowError(`${place}: not JSON`, { cause });
  }
  const row = rowSchema.safeParse(json);
  if (row.success) return row.data;
  const [issue] = row.error.issues;
  throw new RowError(`${place}: ${issue?.path.join('.') || 'row'}: ${issue?.message}`);
}
