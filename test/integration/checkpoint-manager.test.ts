import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { listCheckpoints } from '../../src/checkpoint/catalogue.ts';
import type { Checkpoint } from '../../src/checkpoint/checkpoint.ts';
import { createCheckpointManager } from '../../src/checkpoint/manager.ts';
import { type CheckpointPlaces, publishedDir } from '../../src/checkpoint/places.ts';
import { setActive } from '../../src/checkpoint/publish.ts';
import { readManifest } from '../../src/checkpoint/read-manifest.ts';
import { createRegistry } from '../../src/checkpoint/registry.ts';
import { DuoguardError } from '../../src/errors.ts';
import { addCheckpoint, createPlaces } from '../support/published-fixtures.ts';

/** A manager over real directories whose checkpoints have no workers. Ids in `corrupt` are refused when loaded. */
function createManaged(places: CheckpointPlaces) {
  const registry = createRegistry();
  const [open, corrupt, swaps, loads] = [new Set<string>(), new Set<string>(), [] as string[], [] as string[]];
  const refused: string[] = [];
  let gate = Promise.resolve();
  const manager = createCheckpointManager({
    places,
    registry,
    async load(directory) {
      const manifest = await readManifest(directory);
      loads.push(manifest.id);
      await gate;
      if (corrupt.has(manifest.id)) throw new DuoguardError('checkpoint_file_corrupt');
      open.add(manifest.id);
      const close = () => Promise.resolve(void open.delete(manifest.id));
      return { id: manifest.id, manifest, modelSha256: '', close } as unknown as Checkpoint;
    },
    observer: {
      swapped: (kind, { id }) => swaps.push(`${kind} ${id}`),
      refused: (id) => refused.push(id),
    },
  });
  return {
    manager,
    registry,
    open,
    corrupt,
    swaps,
    loads,
    refused,
    hold() {
      let release = () => {};
      gate = new Promise((resolve) => {
        release = resolve;
      });
      return release;
    },
    states: async () => {
      const entries = await listCheckpoints({
        places,
        manager,
        active: () => registry.active,
        trial: () => undefined,
      });
      return Object.fromEntries(entries.map(({ id, state, rejected }) => [id, rejected?.code ?? state]));
    },
  };
}

/** `a` is shipped and active; `b` and `c` were trained here. */
async function createThree() {
  const places = createPlaces();
  await addCheckpoint(places.shippedDir, 'a');
  await addCheckpoint(publishedDir(places), 'b');
  await addCheckpoint(publishedDir(places), 'c');
  await setActive(places.shippedDir, 'a');
  return places;
}

const errorCode = (code: string) => expect.objectContaining({ code });

test('what was activated serves again after a restart, and knows what it can roll back to', async () => {
  const places = await createThree();
  const first = createManaged(places);
  await first.manager.start('active');
  expect(await first.states()).toEqual({ a: 'active', b: 'available', c: 'available' });
  await first.manager.activate('b');
  expect(await first.states()).toEqual({ a: 'previous', b: 'active', c: 'available' });
  expect([...first.open]).toEqual(['b']);

  const second = createManaged(places);
  await second.manager.start('active');
  expect(second.registry.active?.id).toBe('b');
  await second.manager.rollback('b');
  expect(await second.states()).toEqual({ a: 'active', b: 'available', c: 'available' });
  await expect(second.manager.rollback('b')).rejects.toThrow(errorCode('checkpoint_not_in_use'));
  await expect(second.manager.rollback('a')).rejects.toThrow(errorCode('checkpoint_no_previous'));
  expect(second.swaps).toEqual(['start b', 'rollback a']);
});

test('a refused checkpoint is named with its reason and changes neither what serves nor the disk', async () => {
  const places = await createThree();
  const { manager, registry, corrupt, states, open } = createManaged(places);
  await manager.start('active');
  await manager.activate('c');
  const before = readFileSync(join(places.stateDir, 'active.json'), 'utf8');
  corrupt.add('b');
  await expect(manager.activate('b')).rejects.toThrow(errorCode('checkpoint_file_corrupt'));
  expect(await states()).toEqual({ a: 'previous', b: 'checkpoint_file_corrupt', c: 'active' });
  expect([registry.active?.id, [...open]]).toEqual(['c', ['c']]);
  expect(readFileSync(join(places.stateDir, 'active.json'), 'utf8')).toBe(before);
  corrupt.clear();
  await manager.activate('b');
  expect(await states()).toEqual({ a: 'available', b: 'active', c: 'previous' });
});

test('a manifest that is broken or names another checkpoint is listed as rejected', async () => {
  const places = await createThree();
  writeFileSync(join(publishedDir(places), 'b', 'manifest.json'), '{');
  const other = readFileSync(join(publishedDir(places), 'c', 'manifest.json'));
  mkdirSync(join(publishedDir(places), 'd'));
  writeFileSync(join(publishedDir(places), 'd', 'manifest.json'), other);
  const { manager, states } = createManaged(places);
  await manager.start('active');
  expect(await states()).toMatchObject({ b: 'checkpoint_manifest_unreadable', d: 'checkpoint_manifest_invalid' });
  await expect(manager.activate('d')).rejects.toThrow(errorCode('checkpoint_manifest_invalid'));
});

test.each(['absent', '../a', '..', 'a/b', 'A', '', '%61', '.publishing-a-1'])(
  'the id %j is found nowhere',
  async (id) => {
    const { manager, refused } = createManaged(await createThree());
    await manager.start('active');
    await expect(manager.activate(id)).rejects.toThrow(errorCode('checkpoint_not_found'));
    expect(manager.refusals.size).toBe(0);
    // What is told of goes into the log, where nothing goes that only looks like an id to whoever sent it.
    expect(refused).toEqual(id === 'absent' ? [id] : []);
  },
);

test('one change at a time, which waits while two old checkpoints still have requests', async () => {
  const { manager, registry, hold, open, loads } = createManaged(await createThree());
  await manager.start('active');
  const release = hold();
  const first = manager.activate('b');
  await expect(manager.activate('c')).rejects.toThrow(errorCode('checkpoint_busy'));
  release();
  const onA = registry.lease();
  await first;
  const onB = registry.lease();
  await manager.activate('c');
  expect([...open].sort()).toEqual(['a', 'b', 'c']);
  const [last, loaded] = [manager.activate('a'), loads.length];
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(loads.length).toBe(loaded);
  onB.release();
  await last;
  expect(registry.active?.id).toBe('a');
  onA.release();
  await manager.close();
  expect([...open]).toEqual([]);
});

test('a rollback does not wait for streams on old checkpoints, and what it overtakes is void', async () => {
  const { manager, registry, swaps } = createManaged(await createThree());
  await manager.start('active');
  const onA = registry.lease();
  await manager.activate('b');
  const onB = registry.lease();
  await manager.activate('c');
  const waiting = manager.activate('a');
  const overtaken = expect(waiting).rejects.toThrow(errorCode('checkpoint_busy'));
  await manager.rollback('c');
  expect(registry.active?.id).toBe('b');
  onA.release();
  onB.release();
  await overtaken;
  expect(swaps).toEqual(['start a', 'activate b', 'activate c', 'rollback b']);
});

test('a change that waits when the server ends loads nothing', async () => {
  const { manager, registry, loads, open } = createManaged(await createThree());
  await manager.start('active');
  const onA = registry.lease();
  await manager.activate('b');
  const onB = registry.lease();
  await manager.activate('c');
  const waiting = expect(manager.activate('a')).rejects.toThrow(errorCode('shutting_down'));
  const closing = manager.close();
  onA.release();
  onB.release();
  await Promise.all([waiting, closing]);
  expect([loads, [...open]]).toEqual([['a', 'b', 'c'], []]);
});

test('without a state directory that can be written nothing changes, but pointers are followed', async () => {
  const places = await createThree();
  const unwritable = { ...places, stateDir: join(places.shippedDir, 'a', 'model.onnx') };
  const { manager, registry, open } = createManaged(unwritable);
  await addCheckpoint(places.shippedDir, 'b');
  await manager.start('active');
  await expect(manager.activate('b')).rejects.toThrow(errorCode('state_unwritable'));
  expect([registry.active?.id, [...open]]).toEqual(['a', ['a']]);
  await setActive(places.shippedDir, 'b');
  await manager.follow();
  expect(registry.active?.id).toBe('b');
});

test('a published pointer is followed; rolling back from it holds until the next one', async () => {
  const places = await createThree();
  const { manager, swaps } = createManaged(places);
  await manager.start('active');
  await manager.follow();
  await setActive(publishedDir(places), 'b');
  await manager.follow();
  await manager.follow();
  await manager.rollback('b');
  await manager.follow();
  await setActive(publishedDir(places), 'c');
  await manager.follow();
  expect(swaps).toEqual(['start a', 'follow b', 'rollback a', 'follow c']);
});

test('looking while changes are made undoes none of them', async () => {
  const { manager, swaps } = createManaged(await createThree());
  await manager.start('active');
  let done = false;
  const looking = (async () => {
    while (!done) await Promise.all([manager.follow(), new Promise((resolve) => setTimeout(resolve))]);
  })();
  const ids = ['b', 'c', 'a', 'b', 'c', 'a', 'b', 'c'];
  for (const id of ids) await manager.activate(id);
  done = true;
  await looking;
  expect(swaps).toEqual(['start a', ...ids.map((id) => `activate ${id}`)]);
});

test('a pointer to a refused checkpoint is tried once, and again when the checkpoint changed', async () => {
  const places = await createThree();
  const { manager, registry, corrupt, loads } = createManaged(places);
  await manager.start('active');
  corrupt.add('b');
  await setActive(publishedDir(places), 'b');
  await manager.follow();
  await manager.follow();
  expect([registry.active?.id, loads]).toEqual(['a', ['a', 'b']]);
  corrupt.clear();
  await addCheckpoint(publishedDir(places), 'b', 3);
  await manager.follow();
  expect(registry.active?.id).toBe('b');
});

test('a start falls back to what is sound', async () => {
  const places = await createThree();
  const first = createManaged(places);
  await first.manager.start('active');
  await first.manager.activate('b');
  const second = createManaged(places);
  second.corrupt.add('b');
  await second.manager.start('active');
  expect(second.registry.active?.id).toBe('a');
  expect(await second.states()).toMatchObject({ a: 'active', b: 'checkpoint_file_corrupt' });
});

test('servers that share a state directory follow each other', async () => {
  const places = await createThree();
  const [one, two] = [createManaged(places), createManaged(places)];
  await one.manager.start('active');
  await two.manager.start('active');
  await one.manager.activate('b');
  await two.manager.follow();
  await one.manager.follow();
  await two.manager.rollback('b');
  await one.manager.follow();
  await two.manager.follow();
  expect(one.swaps).toEqual(['start a', 'activate b', 'follow a']);
  expect(two.swaps).toEqual(['start a', 'follow b', 'rollback a']);
});

test('a checkpoint that the settings pin is served and listed from wherever it is', async () => {
  const places = await createThree();
  const outside = await addCheckpoint(createPlaces().shippedDir, 'outside');
  const pinned = createManaged(places);
  await pinned.manager.start(outside);
  expect(await pinned.states()).toMatchObject({ outside: 'active', a: 'available' });
  const byId = createManaged(places);
  await byId.manager.start('c');
  expect(byId.registry.active?.id).toBe('c');
});
