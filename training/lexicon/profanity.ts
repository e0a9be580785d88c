import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';

/** Words that swear or insult, in lower case, by language. Single words only. */
export type ProfaneWords = ReadonlyMap<string, readonly string[]>;

const ldnoobwSchema = z.record(z.string(), z.array(z.string()));
const surgeSchema = z.record(z.string(), z.array(z.object({ text: z.string(), severity: z.number() })));

/** The lists that are read, for the data table of a model card. */
export const WORD_LISTS = { source: 'word lists ldnoobw and surge_profanity', license: 'CC-BY-4.0; MIT' } as const;

/** Entries of the surge list below this severity (1 mild to 3 extreme) are often ordinary words. */
const LEAST_SEVERITY = 1.2;

/**
 * Reads the published lists `ldnoobw.json` (by language) and, when there, `surge_profanity.json` (English with spelling
 * variants) of a directory. Throws an `Error` that names the file when one is missing or malformed.
 */
export function readProfaneWords(directory: string): ProfaneWords {
  const words = new Map<string, Set<string>>();
  const add = (lang: string, entries: readonly string[]): void => {
    const known = words.get(lang) ?? new Set();
    for (const entry of entries) if (isSingleWord(entry)) known.add(entry.toLowerCase());
    words.set(lang, known);
  };
  for (const [lang, entries] of Object.entries(readJson(join(directory, 'ldnoobw.json'), ldnoobwSchema)))
    add(lang, entries);
  for (const [lang, entries] of Object.entries(readJson(join(directory, 'surge_profanity.json'), surgeSchema)))
    add(
      lang,
      entries.filter(({ severity }) => severity >= LEAST_SEVERITY).map(({ text }) => text),
    );
  return new Map([...words].map(([lang, set]) => [lang, [...set].sort()]));
}

function isSingleWord(entry: string): boolean {
  return entry.length > 2 && /^[\p{L}\p{M}]+$/u.test(entry);
}

function readJson<T>(path: string, schema: z.ZodType<T>): T {
  try {
    return schema.parse(JSON.parse(readFileSync(path, 'utf8')));
  } catch (error) {
    const reason = error instanceof z.ZodError ? z.prettifyError(error) : (error as Error).message;
    throw new Error(`${path}: not a word list: ${reason}`, { cause: error });
  }
}
