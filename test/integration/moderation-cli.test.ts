import { execFile } from 'node:child_process';
import { beforeAll, expect, test } from 'vitest';
import { createFixtureCheckpoint } from '../support/fixture-checkpoint.ts';
import { signOf } from '../support/fixture-model.ts';

let directory: string;
beforeAll(async () => {
  directory = await createFixtureCheckpoint();
});

interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

function run(args: readonly string[], stdin = ''): Promise<Outcome> {
  return new Promise((resolve) => {
    const child = execFile(
      process.execPath,
      ['--import', 'tsx', 'src/cli/classify.ts', ...args],
      (error, stdout, stderr) => resolve({ code: error ? Number(error.code) : 0, stdout, stderr }),
    );
    child.stdin?.end(stdin);
  });
}

test('prints a verdict that a person can read', async () => {
  const { code, stdout } = await run(['--checkpoint', directory, `a text with ${signOf('hate')}`]);
  expect(code).toBe(0);
  expect(stdout).toMatch(/^UNSAFE: hate \(score 0\.982/);
  expect(stdout).toMatch(/hate +0\.982 +█+·* +flagged/);
  expect(stdout).toMatch(/checkpoint fixture, \d+ tokens, 1 window/);
});

test('reads the text from stdin and prints JSON', async () => {
  const { stdout } = await run(['--json', '--checkpoint', directory], 'calm');
  expect(JSON.parse(stdout)).toMatchObject({ checkpoint: 'fixture', results: [{ index: 0, flagged: false }] });
});

test('says what is wrong and what to do', async () => {
  const { code, stdout, stderr } = await run(['--checkpoint', 'missing', 'calm']);
  expect([code, stdout]).toEqual([1, '']);
  expect(stderr).toMatch(/^classify: There is no checkpoint missing/);
  expect((await run(['--nonsense'])).stderr).toMatch(/nonsense/);
});
