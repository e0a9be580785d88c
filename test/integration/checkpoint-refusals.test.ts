import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { publishedDir } from '../../src/checkpoint/places.ts';
import { setActive } from '../../src/checkpoint/publish.ts';
import { CATEGORIES } from '../../src/taxonomy.ts';
import { type FixtureOptions, writeFixtureCheckpoint } from '../support/fixture-checkpoint.ts';
import { expectedScores } from '../support/fixture-model.ts';
import { addCheckpoint, createPlaces } from '../support/published-fixtures.ts';
import { startRunningServer } from '../support/running-server.ts';

interface Corruption {
  readonly code: string;
  readonly options?: FixtureOptions;
  readonly damage?: (directory: string) => void;
}

function edit(directory: string, change: (manifest: Record<string, Record<string, unknown>>) => void): void {
  const path = join(directory, 'manifest.json');
  const manifest = JSON.parse(readFileSync(path, 'utf8'));
  change(manifest);
  writeFileSync(path, JSON.stringify(manifest));
}

const KINDS: Record<string, Corruption> = {
  'flipped-byte': {
    code: 'checkpoint_file_corrupt',
    damage(directory) {
      const path = join(directory, 'model.onnx');
      const bytes = readFileSync(path);
      (bytes[bytes.length >> 1] as number) ^= 1;
      writeFileSync(path, bytes);
    },
  },
  'missing-file': { code: 'checkpoint_file_missing', damage: (directory) => rmSync(join(directory, 'tokenizer.json')) },
  'path-outside': {
    code: 'checkpoint_path_outside',
    damage: (directory) =>
      edit(directory, ({ files }) => {
        (files as Record<string, unknown>)['../good/model.onnx'] = files?.['model.onnx'];
      }),
  },
  'swapped-labels': {
    code: 'checkpoint_labels_mismatch',
    options: { manifest: { labels: [CATEGORIES[1], CATEGORIES[0], ...CATEGORIES.slice(2)] } },
  },
  'wrong-canary': {
    code: 'checkpoint_canary_mismatch',
    options: { manifest: { canaries: [{ text: 'a text with $', scores: expectedScores('a text with %') }] } },
  },
  'no-onnx': {
    code: 'checkpoint_model_invalid',
    options: { files: (directory) => writeFileSync(join(directory, 'model.onnx'), 'no model at all') },
  },
  'broken-manifest': {
    code: 'checkpoint_manifest_unreadable',
    damage: (directory) => writeFileSync(join(directory, 'manifest.json'), '{"format": 1,'),
  },
  'wrong-format': { code: 'checkpoint_manifest_invalid', options: { manifest: { format: 2 } } },
};

async function start() {
  const places = createPlaces();
  const published = publishedDir(places);
  mkdirSync(published, { recursive: true });
  await addCheckpoint(places.shippedDir, 'good');
  await setActive(places.shippedDir, 'good');
  const running = await startRunningServer(places, { checkpoint_poll_ms: 50 });
  await running.ready;
  return {
    ...running,
    published,
    async offer(id: string, { options, damage }: Corruption) {
      const { manifest, ...rest } = options ?? {};
      const directory = await writeFixtureCheckpoint(join(published, id), { ...rest, manifest: { id, ...manifest } });
      damage?.(directory);
    },
    entry: async (id: string) => (await running.list()).checkpoints.find((one) => one.id === id),
  };
}

const kinds = Object.entries(KINDS);

test('a corrupt checkpoint of each kind that is to be activated is refused by its own name', async () => {
  const { offer, activate, entry, classify, text } = await start();
  const codes: string[] = [];
  for (const [id, kind] of kinds) {
    await offer(id, kind);
    const refused = await activate(id);
    expect(refused.status).toBe(422);
    codes.push(((await refused.json()) as { error: { code: string } }).error.code);
    expect(await entry(id)).toMatchObject({ state: 'rejected', rejected: { code: kind.code } });
    expect(await classify()).toBe('good');
  }
  expect(codes).toEqual(kinds.map(([, { code }]) => code));
  expect(new Set(codes).size).toBe(kinds.length);
  expect(await text('/metrics')).toContain('guardrail_checkpoint_swaps_total{kind="start"} 1');
});

test('a corrupt checkpoint of each kind that a publisher names is refused by its own name', async () => {
  const { offer, published, entry, classify, lines } = await start();
  for (const [id, kind] of kinds) {
    await offer(id, kind);
    // Not the publisher's own function, which would not name what has no manifest.
    writeFileSync(join(published, 'active.json'), JSON.stringify({ id }));
    const refused = () => lines.some((line) => line.includes('checkpoint refused') && line.includes(`"${id}"`));
    await expect.poll(refused, { timeout: 30_000 }).toBe(true);
    expect(await entry(id)).toMatchObject({ state: 'rejected', rejected: { code: kind.code } });
    expect(await classify()).toBe('good');
  }
  await addCheckpoint(published, 'better');
  await setActive(published, 'better');
  await expect.poll(classify, { timeout: 30_000 }).toBe('better');
});
