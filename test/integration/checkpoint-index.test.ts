import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { setActive, writeIndex } from '../../src/checkpoint/publish.ts';
import { parseIndex } from '../../src/checkpoint/store/store-index.ts';
import { temporaryDirectory } from '../support/fixture-checkpoint.ts';
import { addCheckpoint } from '../support/published-fixtures.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const readIndex = (models: string) => parseIndex(readFileSync(join(models, 'index.json'), 'utf8'));

function manifestHash(models: string, id: string): string {
  return createHash('sha256')
    .update(readFileSync(join(models, id, 'manifest.json')))
    .digest('hex');
}

test('the index names what is there, with the hash of its manifest, and the active one', async () => {
  const models = temporaryDirectory();
  await addCheckpoint(models, 'b');
  await addCheckpoint(models, 'a');
  await setActive(models, 'b');
  const entry = (id: string) => ({ id, created: '2025-01-01T00:00:00Z', manifest_sha256: manifestHash(models, id) });
  expect(readIndex(models)).toEqual({ format: 1, active: 'b', checkpoints: [entry('a'), entry('b')] });
});

test('what is no checkpoint, broken, or named otherwise is left out', async () => {
  const models = temporaryDirectory();
  await addCheckpoint(models, 'a');
  await setActive(models, 'a');
  mkdirSync(join(models, 'empty'));
  mkdirSync(join(models, '.publishing-x'));
  mkdirSync(join(models, 'broken'));
  writeFileSync(join(models, 'broken', 'manifest.json'), '{');
  mkdirSync(join(models, 'other'));
  writeFileSync(join(models, 'other', 'manifest.json'), readFileSync(join(models, 'a', 'manifest.json')));
  await writeIndex(models);
  expect(readIndex(models).checkpoints.map(({ id }) => id)).toEqual(['a']);
  rmSync(join(models, 'a'), { recursive: true });
  await writeIndex(models);
  expect(readIndex(models)).toEqual({ format: 1, active: null, checkpoints: [] });
});

test('the command writes it', async () => {
  const models = temporaryDirectory();
  await addCheckpoint(models, 'a');
  const command = ['--import', 'tsx', 'src/cli/checkpoint-index.ts', models];
  await promisify(execFile)(process.execPath, command, { cwd: ROOT });
  expect(readIndex(models)).toMatchObject({ active: null, checkpoints: [{ id: 'a' }] });
});

test('the shipped directory is a store: its index is what publishing would write', () => {
  const models = join(ROOT, 'models');
  const { active, checkpoints } = readIndex(models);
  const pointer = JSON.parse(readFileSync(join(models, 'active.json'), 'utf8')) as { id: string };
  expect(active).toBe(pointer.id);
  for (const { id, manifest_sha256 } of checkpoints) expect(manifest_sha256).toBe(manifestHash(models, id));
});
