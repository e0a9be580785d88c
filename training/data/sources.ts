import { readFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { z } from 'zod';

export interface SourceInfo {
  readonly license: string;
  readonly usable: boolean;
}

const UNKNOWN: SourceInfo = { license: 'unknown', usable: true };

/** `NAME.meta.json` beside `NAME.jsonl`. */
const metaSchema = z.object({
  source: z.string().optional(),
  license: z.string().optional(),
  usable: z.boolean().optional(),
});

/**
 * What is known about the sources of some files: a `.meta.json` beside a file counts first, then the table with columns
 * `source` and `license` in the directory's README.md or its parent's.
 */
export async function readSourceInfo(path: string, files: readonly string[]): Promise<(source: string) => SourceInfo> {
  const known = new Map<string, SourceInfo>();
  const directory = files[0] === path ? dirname(path) : path;
  for (const readme of [join(directory, '..', 'README.md'), join(directory, 'README.md')]) {
    const text = await readIfPresent(readme);
    for (const [source, license] of readLicenseTable(text ?? '')) known.set(source, { license, usable: true });
  }
  for (const file of files) {
    const name = basename(file).replace(/\.jsonl(\.gz)?$/, '');
    const text = await readIfPresent(join(dirname(file), `${name}.meta.json`));
    if (text === undefined) continue;
    const meta = metaSchema.parse(JSON.parse(text));
    const source = meta.source ?? name;
    const listed = known.get(source) ?? UNKNOWN;
    known.set(source, { license: meta.license ?? listed.license, usable: meta.usable ?? listed.usable });
  }
  return (source) => known.get(source) ?? UNKNOWN;
}

/** Rows of every Markdown table that has the columns `source` and `license`. */
export function readLicenseTable(markdown: string): Map<string, string> {
  const licenses = new Map<string, string>();
  let columns: { source: number; license: number } | undefined;
  for (const line of markdown.split('\n')) {
    const cells = line.trim().startsWith('|') ? line.split('|').map((cell) => cell.trim()) : undefined;
    if (cells === undefined) {
      columns = undefined;
      continue;
    }
    if (columns === undefined) {
      columns = { source: cells.indexOf('source'), license: cells.indexOf('license') };
      continue;
    }
    const [source, license] = [cells[columns.source], cells[columns.license]];
    if (source && license && !/^:?-+:?$/.test(source)) licenses.set(source, license);
  }
  return licenses;
}

async function readIfPresent(file: string): Promise<string | undefined> {
  return readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
}
