import { readdir, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Row, readRows } from './rows.ts';
import { readSourceInfo, type SourceInfo } from './sources.ts';

export interface SourcedRow extends Row {
  /** As the row says, else the name of its file. */
  readonly source: string;
}

export interface Dataset {
  readonly files: readonly string[];
  /** In file order; each call reads anew. Throws as `readRows` does. */
  rows(): AsyncGenerator<SourcedRow>;
  /** License of a source and whether it may be trained on. Unknown sources are usable under `unknown`. */
  sourceInfo(source: string): SourceInfo;
}

const SEEDS = fileURLToPath(new URL('../seeds', import.meta.url));
const ROWS_FILE = /\.jsonl(\.gz)?$/;

/**
 * Opens a file of rows, a directory of such files, or the corpus written for this project by its name `seeds`.
 * Throws an `Error` when there is nothing to read.
 */
export async function readDataset(pathOrName: string): Promise<Dataset> {
  const path = pathOrName === 'seeds' ? SEEDS : pathOrName;
  const found = await stat(path).catch(() => undefined);
  if (!found) throw new Error(`there is no data at ${path}`);
  const directory = found.isDirectory();
  const files = directory ? await filesIn(path) : [path];
  const sourceInfo = await readSourceInfo(path, files);
  return {
    files,
    sourceInfo,
    async *rows() {
      for (const file of files) {
        const name = basename(file).replace(ROWS_FILE, '');
        for await (const row of readRows(file)) yield { ...row, source: row.source ?? name };
      }
    },
  };
}

async function filesIn(directory: string): Promise<string[]> {
  const names = (await readdir(directory)).filter((name) => ROWS_FILE.test(name)).sort();
  if (names.length === 0) throw new Error(`${directory} holds no .jsonl or .jsonl.gz file`);
  return names.map((name) => join(directory, name));
}
