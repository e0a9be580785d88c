import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createQueue } from '../../src/inference/queue.ts';

const of = (...lengths: number[]) => lengths.map((length) => new Int32Array(length));
const one = { maxBatchTokens: 4096, maxBatchSequences: 1 };

test('refuses what does not fit by tokens, unless it is empty', () => {
  const queue = createQueue<string>({ maxSequences: 16, maxTokens: 100 });
  expect(queue.fits(of(500))).toBe(true);
  queue.add('a', of(50, 10));
  expect(queue.fits(of(40))).toBe(true);
  expect(queue.fits(of(41))).toBe(false);
});

test('refuses what does not fit by sequences', () => {
  const queue = createQueue<string>({ maxSequences: 3, maxTokens: 1000 });
  for (const owner of ['a', 'b', 'c']) {
    expect(queue.fits(of(1))).toBe(true);
    queue.add(owner, of(1));
  }
  expect(queue.fits(of(1))).toBe(false);
});

test('a request of any size has an eighth of the places, and all of it is served', () => {
  const queue = createQueue<string>({ maxSequences: 16, maxTokens: 1000 });
  queue.add('book', of(...Array.from({ length: 50 }, () => 10)));
  expect([queue.length, queue.tokens]).toEqual([2, 20]);
  queue.add('note', of(10));
  const served: string[] = [];
  while (queue.length > 0) {
    for (const { owner, index } of queue.takeBatch(one)) served.push(`${owner} ${index}`);
  }
  expect(served).toHaveLength(51);
  expect(new Set(served).size).toBe(51);
  expect(served.indexOf('note 0')).toBeLessThan(3);
  expect(served.filter((entry) => entry.startsWith('book'))).toEqual(Array.from({ length: 50 }, (_, i) => `book ${i}`));
});

test('what stands behind the places of a removed request is gone too', () => {
  const queue = createQueue<string>({ maxSequences: 8, maxTokens: 1000 });
  queue.add('book', of(10, 10, 10));
  queue.remove('book');
  expect(queue.takeBatch(one)).toEqual([]);
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
