import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import type { Checkpoint } from '../../src/checkpoint/checkpoint.ts';
import { createRegistry } from '../../src/checkpoint/registry.ts';

function fakeCheckpoint(id: string): Checkpoint & { closed: number } {
  const checkpoint = {
    id,
    closed: 0,
    close: () => {
      checkpoint.closed++;
      return Promise.resolve();
    },
  };
  return checkpoint as unknown as Checkpoint & { closed: number };
}

test('without a checkpoint there is no lease', () => {
  expect(() => createRegistry().lease()).toThrow(expect.objectContaining({ code: 'not_ready' }));
});

test('activation gives new leases the new checkpoint at once and leaves held leases on the old one', () => {
  const [a, b] = [fakeCheckpoint('a'), fakeCheckpoint('b')];
  const registry = createRegistry(a);
  const held = registry.lease();
  void registry.activate(b);
  expect(held.checkpoint.id).toBe('a');
  expect(registry.lease().checkpoint.id).toBe('b');
  expect(registry.active?.id).toBe('b');
});

test('the old checkpoint is closed once, when its last lease is released', async () => {
  const [a, b] = [fakeCheckpoint('a'), fakeCheckpoint('b')];
  const registry = createRegistry(a);
  const leases = [registry.lease(), registry.lease()];
  let drained = false;
  const swap = registry.activate(b).then(() => {
    drained = true;
  });
  leases[0]?.release();
  leases[0]?.release();
  await nextTurn();
  expect([a.closed, drained]).toEqual([0, false]);
  leases[1]?.release();
  await swap;
  expect([a.closed, b.closed]).toEqual([1, 0]);
});

test('a checkpoint that nobody holds is closed at once', async () => {
  const a = fakeCheckpoint('a');
  await createRegistry(a).activate(fakeCheckpoint('b'));
  expect(a.closed).toBe(1);
});

test('activating what is active changes nothing', async () => {
  const a = fakeCheckpoint('a');
  const registry = createRegistry(a);
  await registry.activate(a);
  expect(registry.lease().checkpoint).toBe(a);
  expect(a.closed).toBe(0);
});

test('a lease that was taken and released before the swap does not close anything', () => {
  const a = fakeCheckpoint('a');
  const registry = createRegistry(a);
  registry.lease().release();
  expect(a.closed).toBe(0);
});

test('close waits for the leases, refuses new ones, and closes what is activated too late', async () => {
  const [a, b] = [fakeCheckpoint('a'), fakeCheckpoint('b')];
  const registry = createRegistry(a);
  const held = registry.lease();
  const closing = registry.close();
  expect(() => registry.lease()).toThrow(expect.objectContaining({ code: 'shutting_down' }));
  await registry.activate(b);
  expect([a.closed, b.closed]).toEqual([0, 1]);
  held.release();
  await closing;
  expect(a.closed).toBe(1);
});
