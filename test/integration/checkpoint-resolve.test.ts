import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { resolveActive } from '../../src/checkpoint/resolve.ts';
import { temporaryDirectory, writeFixtureCheckpoint } from '../support/fixture-checkpoint.ts';

async function plantModels(active: string): Promise<string> {
  const models = temporaryDirectory();
  await writeFixtureCheckpoint(join(models, 'early'), { manifest: { id: 'early', created: '2025-01-01T00:00:00Z' } });
  await writeFixtureCheckpoint(join(models, 'late'), { manifest: { id: 'late', created: '2025-03-01T00:00:00Z' } });
  writeFileSync(join(models, 'active.json'), active);
  mkdirSync(join(models, 'not-a-checkpoint'));
  return models;
}

test('active, latest, an id and a directory', async () => {
  const models = await plantModels('{"id": "early"}');
  expect(await resolveActive(models)).toBe(join(models, 'early'));
  expect(await resolveActive(models, 'active')).toBe(join(models, 'early'));
  expect(await resolveActive(models, 'latest')).toBe(join(models, 'late'));
  expect(await resolveActive(models, 'late')).toBe(join(models, 'late'));
  expect(await resolveActive('/nowhere', join(models, 'late'))).toBe(join(models, 'late'));
});

test.each([
  ['active', '{"id": "gone"}'],
  ['active', '{"id": "../early"}'],
  ['active', '{"id": 3}'],
  ['active', '{"id'],
  ['gone', '{"id": "early"}'],
  ['Early', '{"id": "early"}'],
  ['./gone', '{"id": "early"}'],
])('%s with active.json %s is not found', async (choice, active) => {
  await expect(resolveActive(await plantModels(active), choice)).rejects.toMatchObject({
    code: 'checkpoint_not_found',
  });
});

test.each(['active', 'latest'])('%s in an empty or missing models directory is not found', async (choice) => {
  const empty = temporaryDirectory();
  for (const models of [empty, join(empty, 'missing')]) {
    await expect(resolveActive(models, choice)).rejects.toMatchObject({ code: 'checkpoint_not_found' });
  }
});
