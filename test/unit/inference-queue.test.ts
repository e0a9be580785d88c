import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createQueue } from '../../src/inference/queue.ts';

const of = (...lengths: number[]) => lengths.map((length) => new Int32Array(length));
const one = { maxBatchTokens: 4096, maxBatchSequences: 1 };

test('refuses what does not fit by sequences or by tokens, unless it is empty', () => {
  const queue = createQueue<string>({ maxSequences: 3, maxTokens: 100 });
  expect(queue.fits(of(500))).toBe(true);
  queue.add('a', of(50, 10));
  expect(queue.fits(of(40))).toBe(true);
  expect(queue.fits(of(41))).toBe(false);
  expect(queue.fits(of(1, 1))).toBe(false);
});

test('a short request overtakes the later windows of a long one', () => {
  const queue = createQueue<string>({ maxSequences: 100, maxTokens: 100_000 });
  queue.add('book', of(100, 100, 100, 100));
  queue.add('note', of(20));
  const order = Array.from({ length: 5 }, () => queue.takeBatch(one)[0]?.owner);
  expect(order).toEqual(['note', 'book', 'book', 'book', 'book']);
});

test('a long request is not starved by short ones that keep coming', () => {
  const queue = createQueue<string>({ maxSequences: 1000, maxTokens: 100_000 });
  queue.add('book', of(100, 100));
  let taken = 0;
  for (let turn = 0; turn < 50; turn++) {
    queue.add(`note ${turn}`, of(20));
    if (queue.takeBatch(one)[0]?.owner === 'book') taken++;
  }
  expect(taken).toBe(2);
});

test('equal requests are served in the order of arrival', () => {
  const queue = createQueue<number>({ maxSequences: 100, maxTokens: 10_000 });
  for (let request = 0; request < 10; request++) queue.add(request, of(30));
  expect(queue.takeBatch({ maxBatchTokens: 4096, maxBatchSequences: 100 }).map((entry) => entry.owner)).toEqual([
    0, 1, 2, 3, 4, 5, 6, 7, 8, 9,
  ]);
});

test('what is removed is gone, what is put back has one more failure and its old place', () => {
  const queue = createQueue<string>({ maxSequences: 100, maxTokens: 10_000 });
  queue.add('a', of(30));
  queue.add('b', of(31));
  queue.add('c', of(32, 33));
  queue.remove('c');
  const taken = queue.takeBatch(one);
  expect(taken[0]?.owner).toBe('a');
  queue.putBack(taken);
  expect(queue.takeBatch(one)[0]).toMatchObject({ owner: 'a', failures: 1 });
  expect(queue.takeBatch(one)[0]?.owner).toBe('b');
  expect(queue.length).toBe(0);
});

test('counts stay true and nothing is lost or served twice, whatever the order of operations', () => {
  const step = fc.oneof(
    fc.record({
      type: fc.constant('add' as const),
      lengths: fc.array(fc.integer({ min: 1, max: 300 }), { maxLength: 6 }),
    }),
    fc.record({ type: fc.constant('take' as const), maxBatchSequences: fc.integer({ min: 1, max: 8 }) }),
    fc.record({ type: fc.constant('remove' as const), owner: fc.nat(10) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const queue = createQueue<number>({ maxSequences: 1e6, maxTokens: 1e6 });
      const expected = new Map<string, number>();
      let owner = 0;
      for (const current of steps) {
        if (current.type === 'add') {
          for (const [index, length] of current.lengths.entries()) expected.set(`${owner}.${index}`, length);
          queue.add(owner++, of(...current.lengths));
        } else if (current.type === 'remove') {
          queue.remove(current.owner);
          for (const key of expected.keys()) if (key.startsWith(`${current.owner}.`)) expected.delete(key);
        } else {
          const batch = queue.takeBatch({ maxBatchTokens: 1024, maxBatchSequences: current.maxBatchSequences });
          for (const entry of batch) expect(expected.delete(`${entry.owner}.${entry.index}`)).toBe(true);
        }
        expect(queue.length).toBe(expected.size);
        expect(queue.tokens).toBe([...expected.values()].reduce((sum, length) => sum + length, 0));
      }
    }),
  );
});
