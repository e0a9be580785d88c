import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import type { Lexicon } from './lexicon.ts';

/** Lexicons that ship with the project, `en-fr.json` for English to French. */
export const LEXICONS_DIRECTORY = fileURLToPath(new URL('../lexicons', import.meta.url));

const lexiconFileSchema = z.strictObject({
  from: z.string().min(2),
  to: z.string().min(2),
  /** What it was learned from. */
  data: z.array(z.strictObject({ source: z.string(), pairs: z.int() })),
  /** Each word's translations as `[word, share, word, share, ...]`, the most probable first; `""` is "left out". */
  words: z.record(z.string(), z.array(z.union([z.string(), z.number()]))),
});

export type LexiconFile = z.infer<typeof lexiconFileSchema>;

export function toLexiconFile(lexicon: Lexicon, about: Omit<LexiconFile, 'words'>): LexiconFile {
  const words = [...lexicon].sort(([a], [b]) => (a < b ? -1 : 1));
  return {
    ...about,
    words: Object.fromEntries(
      words.map(([word, list]) => [word, list.flatMap(({ word, share }) => [word, Number(share.toFixed(3))])]),
    ),
  };
}

/** Throws an `Error` that names the file when it is missing or not a lexicon. */
export function readLexicon(from: string, to: string, directory: string = LEXICONS_DIRECTORY): Lexicon {
  const path = join(directory, `${from}-${to}.json`);
  let file: LexiconFile;
  try {
    file = lexiconFileSchema.parse(JSON.parse(readFileSync(path, 'utf8')));
  } catch (error) {
    const reason = error instanceof z.ZodError ? z.prettifyError(error) : (error as Error).message;
    throw new Error(`${path}: not a lexicon: ${reason}`, { cause: error });
  }
  return new Map(
    Object.entries(file.words).map(([word, flat]) => [
      word,
      Array.from({ length: flat.length / 2 }, (_, i) => ({
        word: String(flat[2 * i]),
        share: Number(flat[2 * i + 1]),
      })),
    ]),
  );
}
