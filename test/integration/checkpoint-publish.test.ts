import { existsSync, mkdirSync, readdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { mkdir, open, rename, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { expect, test } from 'vitest';
import { type PublishSteps, publishCheckpoint, setActive } from '../../src/checkpoint/publish.ts';
import { readManifest } from '../../src/checkpoint/read-manifest.ts';
import { resolveActive } from '../../src/checkpoint/resolve.ts';
import { verifyFiles } from '../../src/checkpoint/verify-files.ts';
import { fixtureManifest, temporaryDirectory, writeFixtureFiles } from '../support/fixture-checkpoint.ts';

function publish(models: string, id: string, options?: Parameters<typeof publishCheckpoint>[3]): Promise<void> {
  return publishCheckpoint(
    models,
    id,
    async (directory) => {
      writeFixtureFiles(directory);
      mkdirSync(join(directory, 'notes'));
      writeFileSync(join(directory, 'notes', 'card.md'), id);
      return fixtureManifest(id);
    },
    options,
  );
}

/** The id that `active.json` names, after everything that loading checks short of the model was checked. */
async function soundActiveId(models: string): Promise<string> {
  const directory = await resolveActive(models);
  const manifest = await readManifest(directory);
  await verifyFiles(directory, manifest.files, []);
  expect(manifest.id).toBe(basename(directory));
  return manifest.id;
}

test('a published checkpoint names every file and becomes active', async () => {
  const models = join(temporaryDirectory(), 'models');
  await publish(models, 'one');
  expect(await soundActiveId(models)).toBe('one');
  const { files } = await readManifest(join(models, 'one'));
  expect(Object.keys(files).sort()).toEqual(['model.onnx', 'notes/card.md', 'tokenizer.json']);
  expect(readdirSync(models).sort()).toEqual(['active.json', 'index.json', 'one']);
});

test('publishing without activation leaves the active checkpoint', async () => {
  const models = temporaryDirectory();
  await publish(models, 'one');
  await publish(models, 'two', { activate: false });
  expect(await soundActiveId(models)).toBe('one');
  await setActive(models, 'two');
  expect(await soundActiveId(models)).toBe('two');
});

test('what a killed publisher left is removed when it is old, and one that is at work keeps its files', async () => {
  const models = temporaryDirectory();
  const before = new Date(Date.now() - 2 * 3_600_000);
  for (const name of ['.publishing-dead-1', '.publishing-slow-1', '.publishing-new-1', '.kept']) {
    mkdirSync(join(models, name, 'weights'), { recursive: true });
    writeFileSync(join(models, name, 'weights', 'part'), name);
    if (name === '.publishing-new-1') continue;
    const old = ['weights', '.', ...(name === '.publishing-slow-1' ? [] : ['weights/part'])];
    for (const path of old) utimesSync(join(models, name, path), before, before);
  }
  await publish(models, 'one');
  expect(
    readdirSync(models)
      .filter((name) => name.startsWith('.'))
      .sort(),
  ).toEqual(['.kept', '.publishing-new-1', '.publishing-slow-1']);
});

test('what was never published cannot become active', async () => {
  const models = temporaryDirectory();
  await publish(models, 'one');
  await expect(setActive(models, 'two')).rejects.toMatchObject({ code: 'checkpoint_not_found' });
  expect(await soundActiveId(models)).toBe('one');
});

test('a published checkpoint is never replaced', async () => {
  const models = temporaryDirectory();
  await publish(models, 'one');
  await expect(publish(models, 'one')).rejects.toMatchObject({ code: 'checkpoint_exists' });
  expect(await soundActiveId(models)).toBe('one');
});

test.each(['../one', 'One', '', '.hidden'])('%j is no id', async (id) => {
  const models = temporaryDirectory();
  await expect(publish(models, id)).rejects.toMatchObject({ code: 'checkpoint_manifest_invalid' });
  expect(readdirSync(models)).toEqual([]);
});

test('a failure while the files are written leaves nothing behind', async () => {
  const models = temporaryDirectory();
  await publish(models, 'one');
  const failing = publishCheckpoint(models, 'two', async (directory) => {
    writeFixtureFiles(directory);
    throw new Error('no space left');
  });
  await expect(failing).rejects.toThrow('no space left');
  expect(await soundActiveId(models)).toBe('one');
  expect(readdirSync(models).sort()).toEqual(['active.json', 'index.json', 'one']);
});

/**
 * Steps of a process that dies in the middle of step `last`: that one is half done, and neither later ones nor any
 * clean-up happen.
 */
function dyingSteps(last: number): { steps: PublishSteps; taken: () => number } {
  let taken = 0;
  const step = async (whole: () => Promise<unknown>, half: () => Promise<unknown> = async () => {}) => {
    taken++;
    if (taken < last) await whole();
    else {
      if (taken === last) await half();
      throw new Error('died');
    }
  };
  const steps: PublishSteps = {
    mkdir: (path) => step(() => mkdir(path, { recursive: true })),
    writeFile: (path, content) =>
      step(
        () => writeFile(path, content),
        () => writeFile(path, content.slice(0, content.length / 2)),
      ),
    sync: (path) =>
      step(async () => {
        const handle = await open(path);
        await handle.sync();
        await handle.close();
      }),
    // A rename is atomic: dying in it means before or after. `last` counts it as before, `last + 1` as after.
    rename: (from, to) => step(() => rename(from, to)),
    remove: (path) => step(() => rm(path, { recursive: true })),
  };
  return { steps, taken: () => taken };
}

test('a crash at any step leaves a whole checkpoint active, and publishing can be tried again', async () => {
  const outcomes: string[] = [];
  for (let last = 1; ; last++) {
    const models = temporaryDirectory();
    await publish(models, 'old');
    const { steps, taken } = dyingSteps(last);
    const crashed = await publish(models, 'new', { steps }).then(
      () => false,
      () => true,
    );
    const active = await soundActiveId(models);
    outcomes.push(active);
    if (!crashed) {
      expect(taken()).toBeLessThan(last);
      break;
    }
    if (existsSync(join(models, 'new'))) await setActive(models, 'new');
    else await publish(models, 'new');
    expect(await soundActiveId(models)).toBe('new');
  }
  // Old up to the last rename, new after it, never anything else.
  expect(outcomes.length).toBeGreaterThan(10);
  expect(outcomes.join(' ')).toMatch(/^(old )+new( new)*$/);
});

test('a leftover of a crash is no checkpoint', async () => {
  const models = temporaryDirectory();
  await publish(models, 'old');
  await publish(models, 'new', { steps: dyingSteps(6).steps }).catch(() => {});
  expect(readdirSync(models).some((name) => name.startsWith('.publishing-'))).toBe(true);
  expect(basename(await resolveActive(models, 'latest'))).toBe('old');
});

test('active.json is replaced as a whole', async () => {
  const models = temporaryDirectory();
  await publish(models, 'one');
  expect(JSON.parse(readFileSync(join(models, 'active.json'), 'utf8'))).toEqual({ id: 'one' });
});
