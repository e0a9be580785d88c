import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readDataset } from '../../training/data/dataset.ts';
import { readRows } from '../../training/data/rows.ts';
import { readLicenseTable } from '../../training/data/sources.ts';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'rows-'));
});
afterEach(() => rm(directory, { recursive: true }));

async function write(name: string, content: string): Promise<string> {
  const file = join(directory, name);
  await writeFile(file, name.endsWith('.gz') ? gzipSync(content) : content);
  return file;
}

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

const line = (row: object) => `${JSON.stringify(row)}\n`;

describe('readRows', () => {
  it('fills in what a row may leave out', async () => {
    const file = await write(
      'a.jsonl',
      line({ text: 'a', unsafe: 1 }) + line({ text: 'b', unsafe: false, lang: 'de', categories: null, other: 1 }),
    );
    expect(await collect(readRows(file))).toEqual([
      { text: 'a', unsafe: true, lang: 'und', kind: 'prompt', categories: null },
      { text: 'b', unsafe: false, lang: 'de', kind: 'prompt', categories: [] },
    ]);
  });

  it('keeps every field of a full row', async () => {
    const row = {
      text: 'a',
      unsafe: 1,
      lang: 'fr',
      categories: ['hate', 'privacy'],
      kind: 'qa',
      source: 's',
      benchmark: 'b',
      id: '1',
      pair: 7,
      twin: '2',
    };
    const [read] = await collect(readRows(await write('a.jsonl', line(row))));
    expect(read).toEqual({ ...row, unsafe: true, pair: '7' });
  });

  it('cuts at line feeds only, takes a last line without one and skips empty lines', async () => {
    const file = await write('a.jsonl', `\n{"text":"a\u2028b","unsafe":0}\r\n\n{"text":"c","unsafe":0}`);
    expect((await collect(readRows(file))).map(({ text }) => text)).toEqual(['a\u2028b', 'c']);
  });

  it('reads gzip, characters across the borders of chunks included', async () => {
    const texts = Array.from({ length: 3000 }, (_, i) => `${'é日👍'.repeat(i % 50)}${i}`);
    const file = await write('a.jsonl.gz', texts.map((text) => line({ text, unsafe: 0 })).join(''));
    expect((await collect(readRows(file))).map(({ text }) => text)).toEqual(texts);
  });

  it.each([
    ['no label', { text: 'a' }, 'unsafe'],
    ['another label', { text: 'a', unsafe: 2 }, 'unsafe'],
    ['no text', { unsafe: 1 }, 'text'],
    ['an unknown category', { text: 'a', unsafe: 1, categories: ['rude'] }, 'categories.0'],
    ['an unknown kind', { text: 'a', unsafe: 1, kind: 'poem' }, 'kind'],
    ['a safe row with a category', { text: 'a', unsafe: 0, categories: ['hate'] }, 'categories'],
  ])('names file, line and field: %s', async (_, row, field) => {
    const file = await write('a.jsonl', line({ text: 'fine', unsafe: 0 }) + line(row));
    await expect(collect(readRows(file))).rejects.toThrow(`${file}:2: ${field}: `);
  });

  it('names the place of what is not JSON, and never shows the text', async () => {
    const file = await write('a.jsonl', 'secret text\n');
    await expect(collect(readRows(file))).rejects.toThrow(new Error(`${file}:1: not JSON`));
  });

  it('names a damaged or missing file', async () => {
    const file = join(directory, 'a.jsonl.gz');
    await writeFile(file, gzipSync(line({ text: 'a'.repeat(1000), unsafe: 0 })).subarray(0, 30));
    await expect(collect(readRows(file))).rejects.toThrow(file);
    await writeFile(file, 'not gzip');
    await expect(collect(readRows(file))).rejects.toThrow(file);
    await expect(collect(readRows(join(directory, 'none.jsonl')))).rejects.toThrow('none.jsonl');
    await expect(collect(readRows(join(directory, 'none.jsonl.gz')))).rejects.toThrow('none.jsonl.gz');
  });
});

describe('readDataset', () => {
  it('reads the files of a directory in order and names sources after files', async () => {
    await write('b.jsonl.gz', line({ text: '2', unsafe: 1, source: 'mine' }));
    await write('a.jsonl', line({ text: '1', unsafe: 1 }));
    await write('notes.txt', 'no rows');
    const dataset = await readDataset(directory);
    expect(dataset.files.length).toBe(2);
    const read = await collect(dataset.rows());
    expect(read.map(({ text, source }) => [text, source])).toEqual([
      ['1', 'a'],
      ['2', 'mine'],
    ]);
    expect(await collect(dataset.rows())).toEqual(read);
  });

  it('says when there is nothing', async () => {
    await expect(readDataset(directory)).rejects.toThrow('holds no .jsonl');
    await expect(readDataset(join(directory, 'none'))).rejects.toThrow('no data');
  });

  it('knows licenses from the README of the directory or its parent, and from .meta.json first', async () => {
    const train = join(directory, 'train');
    await mkdir(train);
    await write('README.md', '# Data\n| source | rows | license |\n|---|---|---|\n| a | 1 | MIT |\n| b | 2 | CC0 |\n');
    await write('train/a.jsonl', line({ text: '1', unsafe: 1 }));
    await write('train/b.jsonl.gz', line({ text: '1', unsafe: 1 }));
    await write('train/b.meta.json', '{"license":"research only","usable":false}');
    const { sourceInfo } = await readDataset(train);
    expect(sourceInfo('a')).toEqual({ license: 'MIT', usable: true });
    expect(sourceInfo('b')).toEqual({ license: 'research only', usable: false });
    expect(sourceInfo('c')).toEqual({ license: 'unknown', usable: true });
    const one = await readDataset(join(train, 'a.jsonl'));
    expect(one.sourceInfo('a').license).toBe('MIT');
  });
});

describe('readLicenseTable', () => {
  it('reads only tables with both columns', () => {
    const text = '| source | size |\n|--|--|\n| x | 1 |\n\nText\n| license | source |\n|:--|--:|\n| MIT | y |\n';
    expect([...readLicenseTable(text)]).toEqual([['y', 'MIT']]);
  });
});
