import { execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, expect, test } from 'vitest';
import { temporaryDirectory } from '../support/fixture-checkpoint.ts';
import { seedPair } from '../support/seed-rows.ts';

let directory: string;
const rows = [...seedPair('en', 'privacy', 1), ...seedPair('en', 'hate', 1)];
const lines = (all: readonly object[]) => all.map((row) => `${JSON.stringify(row)}\n`).join('');

beforeEach(() => {
  directory = temporaryDirectory();
  writeFileSync(join(directory, 'en.jsonl'), lines(rows));
});

function run(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      ['--import', 'tsx', 'training/cli/seeds.ts', ...args, '--directory', directory],
      (error, stdout, stderr) => resolve({ code: error ? Number(error.code) : 0, stdout, stderr }),
    );
  });
}

test('reports as a table, as JSON and into the data card', async () => {
  writeFileSync(join(directory, 'README.md'), '# Card\n<!-- report: begin -->\nold\n<!-- report: end -->\nend\n');
  const [table, json, card] = await Promise.all([run('report'), run('report', '--json'), run('report', '--card')]);
  expect([table.code, json.code, card.code]).toEqual([0, 0, 0]);
  expect(table.stdout).toContain('4 texts, 2 unsafe and 2 safe.');
  expect(table.stdout).toMatch(/^\| en +\| hate +\| 1\/1 +\| - /m);
  expect(JSON.parse(json.stdout)).toMatchObject({ texts: 4, twins: { unsafe: 2, withSafeTwin: 2 } });
  expect(readFileSync(join(directory, 'README.md'), 'utf8')).toMatch(
    /^# Card\n<!-- report: begin -->\n4 texts, .*\n<!-- report: end -->\nend\n$/s,
  );
});

test('checks, and names what is wrong by rule, ids and place', async () => {
  expect(await run('check')).toEqual({ code: 0, stdout: '4 rows, no faults\n', stderr: '' });

  const benchmark = join(temporaryDirectory(), 'rows.jsonl');
  const texts = ['other', rows[2]?.text];
  writeFileSync(benchmark, lines(texts.map((text) => ({ text, unsafe: 1, benchmark: 'xs' }))));
  writeFileSync(join(directory, 'en.jsonl'), lines([{ ...rows[0], kind: 'poem' }, ...rows.slice(1)]));
  const { code, stdout } = await run('check', '--against', benchmark);
  expect(code).toBe(1);
  expect(stdout).toMatch(/^schema: en\.jsonl:1: kind: /m);
  expect(stdout).toContain('links: en-privacy-0001-s: its twin en-privacy-0001-u does not exist\n');
  expect(stdout).toContain('benchmark: en-hate-0001-u: has 100 % of its text in common with xs 2\n');
  expect(stdout).toContain('3 rows, 1 x schema, 1 x links, 1 x benchmark\n');
});

test('says how to call it', async () => {
  const [none, help, missing] = await Promise.all([run(), run('--help'), run('check', '--against', 'nowhere')]);
  expect(none).toMatchObject({ code: 1, stderr: 'seeds: say report or check; --help shows how to call\n' });
  expect(help).toMatchObject({ code: 0, stdout: expect.stringContaining('Usage: npm run -s seeds') });
  expect(missing).toMatchObject({ code: 1, stderr: expect.stringContaining('there is no data at nowhere') });
});
