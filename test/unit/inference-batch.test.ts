import fc from 'fast-check';
import { expect, test } from 'vitest';
import { formBatch, MAX_PADDING } from '../../src/inference/batch.ts';

const waiting = fc.array(
  fc.record({ tokens: fc.integer({ min: 1, max: 512 }), failures: fc.constantFrom(0, 0, 0, 1) }),
  {
    maxLength: 80,
  },
);
const limits = fc.record({
  maxBatchTokens: fc.integer({ min: 512, max: 4096 }),
  maxBatchSequences: fc.integer({ min: 1, max: 64 }),
});

test('a batch holds the head, stays within its budget and bounds the padding', () => {
  fc.assert(
    fc.property(waiting, limits, (entries, bounds) => {
      const chosen = formBatch(entries, bounds);
      if (entries.length === 0) {
        expect(chosen).toEqual([]);
        return;
      }
      expect(chosen[0]).toBe(0);
      expect(chosen).toEqual([...new Set(chosen)].sort((a, b) => a - b));
      const lengths = chosen.map((index) => entries[index]?.tokens ?? Number.NaN);
      const padded = lengths.length * Math.max(...lengths);
      const real = lengths.reduce((sum, length) => sum + length, 0);
      expect(padded).toBeLessThanOrEqual(bounds.maxBatchTokens);
      expect(padded - real).toBeLessThanOrEqual(MAX_PADDING * padded);
      expect(chosen.length).toBeLessThanOrEqual(bounds.maxBatchSequences);
    }),
  );
});

test('sequences of one length fill the batch to its budget', () => {
  const entries = Array.from({ length: 100 }, () => ({ tokens: 100, failures: 0 }));
  expect(formBatch(entries, { maxBatchTokens: 1050, maxBatchSequences: 64 })).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
});

test('a long sequence does not join short ones, and is served when it becomes the head', () => {
  const short = { tokens: 20, failures: 0 };
  const long = { tokens: 400, failures: 0 };
  const bounds = { maxBatchTokens: 4096, maxBatchSequences: 32 };
  expect(formBatch([short, long, short], bounds)).toEqual([0, 2]);
  expect(formBatch([long, short, short], bounds)).toEqual([0]);
});

test('a sequence whose worker failed runs alone', () => {
  const bounds = { maxBatchTokens: 4096, maxBatchSequences: 32 };
  const fresh = { tokens: 20, failures: 0 };
  const failed = { tokens: 20, failures: 1 };
  expect(formBatch([failed, fresh], bounds)).toEqual([0]);
  expect(formBatch([fresh, failed, fresh], bounds)).toEqual([0, 2]);
});
