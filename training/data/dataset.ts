import { readdir, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { heldOut, type LinkedRow } from './held-out.ts';
import { type Row, readRows } from './rows.ts';
import { SEEDS_DIRECTORY } from './seeds.ts';
import { readSourceInfo, type SourceInfo } from './sources.ts';

export interface SourcedRow extends Row {
  /** As the row says, else `seeds` for the corpus written for this project, else the name of its file. */
  readonly source: string;
}

export interface Dataset {
  readonly files: readonly string[];
  /** In file order; each call reads anew. Throws as `readRows` does. */
  rows(): AsyncGenerator<SourcedRow>;
  /** License of a source and whether it may be trained on. Unknown sources are usable under `unknown`. */
  sourceInfo(source: string): SourceInfo;
}

const ROWS_FILE = /\.jsonl(\.gz)?$/;

/**
 * Opens a file of rows, a directory of such files, or by name the corpus written for this project: all of it (`seeds`),
 * what may be trained on (`seeds:train`) or the tenth that is kept for measuring (`seeds:held-out`).
 * Throws an `Error` when there is nothing to read.
 */
export async function readDataset(pathOrName: string): Promise<Dataset> {
  switch (pathOrName) {
    case 'seeds':
      return openPath(SEEDS_DIRECTORY, 'seeds');
    case 'seeds:train':
      return splitSeeds(await openPath(SEEDS_DIRECTORY, 'seeds'), false);
    case 'seeds:held-out':
      return splitSeeds(await openPath(SEEDS_DIRECTORY, 'seeds'), true);
    default:
      return openPath(pathOrName);
  }
}

async function openPath(path: string, source?: string): Promise<Dataset> {
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
        const name = source ?? basename(file).replace(ROWS_FILE, '');
        for await (const row of readRows(file)) yield { ...row, source: row.source ?? name };
      }
    },
  };
}

/** Translations lie in different files, so all rows are read before the first one is given. */
function splitSeeds(seeds: Dataset, wanted: boolean): Dataset {
  return {
    ...seeds,
    async *rows() {
      const rows: (SourcedRow & LinkedRow)[] = [];
      for await (const row of seeds.rows()) rows.push({ ...row, id: row.id ?? '' });
      const held = heldOut(rows);
      yield* rows.filter((row) => held.has(row.id) === wanted);
    },
  };
}

async function filesIn(directory: string): Promise<string[]> {
  const names = (await readdir(directory)).filter((name) => ROWS_FILE.test(name)).sort();
  if (names.length === 0) throw new Error(`${directory} holds no .jsonl or .jsonl.gz file`);
  return names.map((name) => join(directory, name));
}
