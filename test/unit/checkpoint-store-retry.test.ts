import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseContentRange } from '../../src/checkpoint/store/content-range.ts';
import { backoffMs, retrying } from '../../src/checkpoint/store/retry.ts';
import { DuoguardError } from '../../src/errors.ts';

const unreachable = () => new DuoguardError('checkpoint_store_unreachable');
const QUICK = { attempts: 3, baseMs: 1, maxMs: 2, signal: new AbortController().signal };

test('a pause is between half and all of the doubled base, and never longer than the longest', () => {
  const fraction = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 2000 }), fraction, (failures, random) => {
      const pause = backoffMs(failures, { baseMs: 100, maxMs: 60_000 }, random);
      const longest = Math.min(60_000, 100 * 2 ** (failures - 1));
      expect(pause).toBeGreaterThanOrEqual(longest / 2);
      // A fraction next to 1 rounds up to all of it.
      expect(pause).toBeLessThanOrEqual(longest);
    }),
  );
});

test('a store that cannot be reached is asked as often as is allowed', async () => {
  let asked = 0;
  const failing = retrying(async () => {
    asked++;
    throw unreachable();
  }, QUICK);
  await expect(failing).rejects.toMatchObject({ code: 'checkpoint_store_unreachable' });
  expect(asked).toBe(3);
});

test('progress makes the failures before it count no more', async () => {
  let progress = 0;
  const work = async () => {
    progress++;
    if (progress < 20) throw unreachable();
    return 'done';
  };
  expect(await retrying(work, { ...QUICK, progress: () => progress })).toBe('done');
});

test.each([new DuoguardError('checkpoint_file_corrupt'), new TypeError('a bug')])(
  '%s is not tried again',
  async (error) => {
    let asked = 0;
    const failing = retrying(async () => {
      asked++;
      throw error;
    }, QUICK);
    await expect(failing).rejects.toBe(error);
    expect(asked).toBe(1);
  },
);

test('an end that is asked for ends the waiting', async () => {
  const closing = new AbortController();
  const failing = retrying(
    async () => {
      setTimeout(() => closing.abort(new DuoguardError('shutting_down')), 5);
      throw unreachable();
    },
    { attempts: 3, baseMs: 3_600_000, maxMs: 3_600_000, signal: closing.signal },
  );
  await expect(failing).rejects.toThrow();
});

test.each([
  ['bytes 4-9/10', 4],
  ['bytes 0-0/*', 0],
  ['bytes */10', undefined],
  ['items 4-9/10', undefined],
  ['bytes 4-9/10, 1-2/3', undefined],
  [null, undefined],
])('the range %j begins at %j', (header, start) => {
  expect(parseContentRange(header)).toBe(start);
});
