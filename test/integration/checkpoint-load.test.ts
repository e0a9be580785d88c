import { mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { loadCheckpoint } from '../../src/checkpoint/load.ts';
import { createManifestFiles } from '../../src/checkpoint/publish.ts';
import { CATEGORIES } from '../../src/taxonomy.ts';
import {
  createFixtureCheckpoint,
  FIXTURE_LOAD_OPTIONS,
  FIXTURE_MAX_TOKENS,
  type FixtureOptions,
  type fixtureManifest,
} from '../support/fixture-checkpoint.ts';
import { expectedScores } from '../support/fixture-model.ts';

type ManifestJson = ReturnType<typeof fixtureManifest> & { files: Record<string, { sha256: string; bytes: number }> };

function editManifest(directory: string, edit: (manifest: ManifestJson) => void): void {
  const path = join(directory, 'manifest.json');
  const manifest = JSON.parse(readFileSync(path, 'utf8')) as ManifestJson;
  edit(manifest);
  writeFileSync(path, JSON.stringify(manifest));
}

test('a sound checkpoint loads, with several workers, and scores', async () => {
  const directory = await createFixtureCheckpoint();
  const checkpoint = await loadCheckpoint(directory, { ...FIXTURE_LOAD_OPTIONS, workers: 2 });
  onTestFinished(() => checkpoint.close());
  expect(checkpoint.id).toBe('fixture');
  expect(checkpoint.engine.stats()).toMatchObject({ workersReady: 2, queuedSequences: 0 });
  const { prefix, suffix, encode } = checkpoint.tokenizer;
  const ids = Int32Array.from([...prefix, ...encode('what does $ mean'), ...suffix]);
  const { scores } = await checkpoint.engine.submit([ids], new AbortController().signal);
  const expected = expectedScores('what does $ mean');
  for (const [label, score] of (scores[0] as Float32Array).entries())
    expect(score).toBeCloseTo(expected[label] as number, 5);
});

test.each(['int32', 'int64'] as const)('the model may take %s', async (idType) => {
  const checkpoint = await loadCheckpoint(await createFixtureCheckpoint({ model: { idType } }), FIXTURE_LOAD_OPTIONS);
  await checkpoint.close();
});

describe('a fault has its own error', () => {
  const cases: [string, string, FixtureOptions, ((directory: string) => void) | undefined, RegExp][] = [
    [
      'a flipped byte in the model',
      'checkpoint_file_corrupt',
      {},
      (directory) => {
        const path = join(directory, 'model.onnx');
        const bytes = readFileSync(path);
        bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] as number) ^ 1;
        writeFileSync(path, bytes);
      },
      /model\.onnx does not have the SHA-256/,
    ],
    [
      'a truncated tokenizer',
      'checkpoint_file_corrupt',
      {},
      (directory) => writeFileSync(join(directory, 'tokenizer.json'), '{}'),
      /tokenizer\.json has 2 bytes instead of \d+/,
    ],
    [
      'a missing model',
      'checkpoint_file_missing',
      {},
      (directory) => rmSync(join(directory, 'model.onnx')),
      /model\.onnx, which is missing/,
    ],
    [
      'a directory in the place of a file',
      'checkpoint_file_missing',
      {},
      (directory) => {
        rmSync(join(directory, 'model.onnx'));
        mkdirSync(join(directory, 'model.onnx'));
      },
      /model\.onnx/,
    ],
    [
      'no manifest',
      'checkpoint_manifest_unreadable',
      {},
      (directory) => rmSync(join(directory, 'manifest.json')),
      /manifest\.json/,
    ],
    [
      'a manifest that is not JSON',
      'checkpoint_manifest_unreadable',
      {},
      (directory) => writeFileSync(join(directory, 'manifest.json'), '{"format": 1'),
      /not JSON/,
    ],
    ['an unknown format', 'checkpoint_manifest_invalid', { manifest: { format: 2 } }, undefined, /format/],
    ['an absurd max_tokens', 'checkpoint_manifest_invalid', { manifest: { max_tokens: 0 } }, undefined, /max_tokens/],
    ['no canaries', 'checkpoint_manifest_invalid', { manifest: { canaries: [] } }, undefined, /canaries/],
    [
      'a model without a hash',
      'checkpoint_manifest_invalid',
      {},
      (directory) =>
        editManifest(directory, (manifest) => {
          delete manifest.files['model.onnx'];
        }),
      /model\.onnx without naming/,
    ],
    [
      'swapped labels',
      'checkpoint_labels_mismatch',
      { manifest: { labels: [...CATEGORIES.slice(0, 10), 'jailbreak_prompts', 'sexual_content'] } },
      undefined,
      /Label 10 of the checkpoint is jailbreak_prompts, where sexual_content/,
    ],
    [
      'a thirteenth label',
      'checkpoint_labels_mismatch',
      { manifest: { labels: [...CATEGORIES, 'spam'] } },
      undefined,
      /Label 12 of the checkpoint is spam, where none/,
    ],
    [
      'a tokenizer that is none',
      'checkpoint_tokenizer_invalid',
      { files: (directory) => writeFileSync(join(directory, 'tokenizer.json'), '{"hello": 1}') },
      undefined,
      /tokenizer\.json cannot be loaded/,
    ],
    [
      'a model that is not ONNX',
      'checkpoint_model_invalid',
      { files: (directory) => writeFileSync(join(directory, 'model.onnx'), 'this is not a model') },
      undefined,
      /not an ONNX model/,
    ],
    [
      'an empty model',
      'checkpoint_model_invalid',
      { files: (directory) => writeFileSync(join(directory, 'model.onnx'), '') },
      undefined,
      /not an ONNX model/,
    ],
    [
      'another input name',
      'checkpoint_model_signature',
      { model: { inputNames: ['ids', 'attention_mask'] } },
      undefined,
      /ids/,
    ],
    [
      'another output name',
      'checkpoint_model_signature',
      { model: { outputName: 'scores' } },
      undefined,
      /no output logits/,
    ],
    ['another number of labels', 'checkpoint_model_signature', { model: { labels: 11 } }, undefined, /\[batch, 12\]/],
    [
      'a canary that disagrees',
      'checkpoint_canary_mismatch',
      { manifest: { canaries: [{ text: 'a text with $', scores: expectedScores('a text with %') }] } },
      undefined,
      /Canary 0 gets 0\.9820 for sex_related_crimes, where the manifest says 0\.0180/,
    ],
  ];

  test.each(cases)('%s: %s', async (_, code, options, damage, message) => {
    const directory = await createFixtureCheckpoint(options);
    damage?.(directory);
    const loading = loadCheckpoint(directory, FIXTURE_LOAD_OPTIONS);
    await expect(loading).rejects.toMatchObject({ name: 'DuoguardError', code });
    await expect(loading).rejects.toThrow(message);
  });
});

describe('a file outside the directory is refused before it is read', () => {
  test.each(['../outside.txt', 'sub/../../outside.txt', '/etc/hostname', 'sub\\..\\outside.txt', '..'])(
    '%s',
    async (path) => {
      const directory = await createFixtureCheckpoint();
      writeFileSync(join(directory, '..', 'outside.txt'), 'outside');
      editManifest(directory, (manifest) => {
        manifest.files[path] = { sha256: '0'.repeat(64), bytes: 7 };
      });
      await expect(loadCheckpoint(directory, FIXTURE_LOAD_OPTIONS)).rejects.toMatchObject({
        code: 'checkpoint_path_outside',
      });
    },
  );

  test.each(['file', 'directory'])('a symbolic link as %s', async (kind) => {
    const directory = await createFixtureCheckpoint();
    const outside = join(directory, '..', 'outside');
    mkdirSync(outside);
    writeFileSync(join(outside, 'secret.txt'), 'outside');
    const hashes = await createManifestFiles(outside);
    const path = kind === 'file' ? 'secret.txt' : 'link/secret.txt';
    symlinkSync(kind === 'file' ? join(outside, 'secret.txt') : outside, join(directory, path.split('/')[0] as string));
    editManifest(directory, (manifest) => {
      manifest.files[path] = hashes['secret.txt'] as { sha256: string; bytes: number };
    });
    await expect(loadCheckpoint(directory, FIXTURE_LOAD_OPTIONS)).rejects.toMatchObject({
      code: 'checkpoint_path_outside',
    });
  });

  test('a link that stays inside is fine', async () => {
    const directory = await createFixtureCheckpoint();
    symlinkSync('tokenizer.json', join(directory, 'copy.json'));
    editManifest(directory, (manifest) => {
      manifest.files['copy.json'] = manifest.files['tokenizer.json'] as { sha256: string; bytes: number };
    });
    await (await loadCheckpoint(directory, FIXTURE_LOAD_OPTIONS)).close();
  });
});

test('a batch budget below the longest window is refused at the start', async () => {
  const loading = loadCheckpoint(await createFixtureCheckpoint(), {
    ...FIXTURE_LOAD_OPTIONS,
    maxBatchTokens: FIXTURE_MAX_TOKENS - 1,
  });
  await expect(loading).rejects.toMatchObject({ code: 'invalid_config' });
});
