import { execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { beforeAll, expect, test } from 'vitest';
import { CATEGORIES } from '../../src/taxonomy.ts';
import { createFixtureCheckpoint, temporaryDirectory } from '../support/fixture-checkpoint.ts';
import { signOf } from '../support/fixture-model.ts';

let checkpoint: string;
let directory: string;
let data: string;
/** Texts longer than the fixture's window among them; the model is right but for one safe row. */
const rows = [
  { text: `bad ${signOf('hate')}`, unsafe: 1, benchmark: 'b', lang: 'en', categories: ['hate'] },
  { text: 'calm', unsafe: 0, benchmark: 'b', lang: 'en' },
  { text: `${'calm '.repeat(100)}${signOf('privacy')}`, unsafe: 1, benchmark: 'b', lang: 'en', categories: null },
  { text: `loud ${signOf('hate')}`, unsafe: 0, benchmark: 'b', lang: 'en' },
  { text: '', unsafe: 0 },
];

beforeAll(async () => {
  checkpoint = await createFixtureCheckpoint();
  directory = temporaryDirectory();
  data = join(directory, 'rows.jsonl.gz');
  writeFileSync(data, gzipSync(rows.map((row) => `${JSON.stringify(row)}\n`).join('')));
});

interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

function run(...args: string[]): Promise<Outcome> {
  return new Promise((resolve) => {
    execFile(process.execPath, ['--import', 'tsx', 'training/cli/eval.ts', ...args], (error, stdout, stderr) =>
      resolve({ code: error ? Number(error.code) : 0, stdout, stderr }),
    );
  });
}

test('prints a table, and writes a report and a line for each row in input order', async () => {
  const json = join(directory, 'out', 'report.json');
  const predictions = join(directory, 'out', 'predictions.jsonl');
  const outcome = await run(
    ...['--data', data, '--checkpoint', checkpoint, '--json', json, '--predictions', predictions, '--workers', '2'],
  );
  expect(outcome).toMatchObject({ code: 0 });
  expect(outcome.stdout).toMatch(/^b +en +4 +2 +80\.0 +66\.7 +100\.0 +50\.0 /m);
  expect(outcome.stderr).toContain('100 % 5/5 texts');

  const report = JSON.parse(readFileSync(json, 'utf8'));
  expect(report).toMatchObject({ checkpoint: 'fixture', model: 'served', n: 5 });
  expect(report.groups.map((group: { benchmark: string; lang: string }) => [group.benchmark, group.lang])).toEqual([
    ['b', 'en'],
    ['rows', 'und'],
  ]);
  const lines = readFileSync(predictions, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect(lines.map(({ flagged }) => flagged)).toEqual([true, false, true, true, false]);
  expect(Object.keys(lines[0])).toEqual(['score', 'flagged', 'category_scores']);
  expect(Object.keys(lines[0].category_scores)).toEqual([...CATEGORIES]);
  expect(lines[0].category_scores.hate).toBeCloseTo(1 / (1 + Math.exp(-4)), 5);
});

test('scores the float model where the checkpoint keeps one', async () => {
  expect((await run('--data', data, '--checkpoint', checkpoint, '--float')).stderr).toMatch(/keeps no float model/);
  const both = await createFixtureCheckpoint({ manifest: { model_float: 'model.onnx' } });
  const { code, stdout } = await run('--data', data, '--checkpoint', both, '--float');
  expect(code).toBe(0);
  expect(stdout).toContain('(float model)');
});

test('says what is wrong', async () => {
  const broken = join(directory, 'broken.jsonl');
  writeFileSync(broken, '{"text":"a","unsafe":0}\n{"text":"b"}\n');
  const outcomes = await Promise.all([
    run('--checkpoint', checkpoint),
    run('--data', join(directory, 'none.jsonl'), '--checkpoint', checkpoint),
    run('--data', broken, '--checkpoint', checkpoint),
    run('--data', data, '--checkpoint', 'missing'),
    run('--data', data, '--workers', '0'),
  ]);
  expect(outcomes.map(({ code, stdout }) => [code, stdout])).toEqual(outcomes.map(() => [1, '']));
  expect(outcomes.map(({ stderr }) => stderr.split('\n')[0])).toEqual([
    expect.stringContaining('eval: --data is missing'),
    expect.stringContaining('eval: there is no data at'),
    expect.stringContaining('broken.jsonl:2: unsafe: '),
    expect.stringContaining('eval: There is no checkpoint missing'),
    expect.stringContaining('eval: --workers takes'),
  ]);
});
