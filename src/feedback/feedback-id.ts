import { randomBytes } from 'node:crypto';

/**
 * `fb-`, 12 hex digits of milliseconds, 4 that count within one, 12 at random: ids of one process sort as they were made,
 * and two processes never make the same.
 */
export function createFeedbackIds(clock: () => number = Date.now): () => string {
  let last = 0;
  let count = 0;
  return () => {
    const now = Math.max(last, clock());
    count = now === last ? count + 1 : 0;
    // No disk takes 65,536 in a millisecond; a clock that stands still goes on in the next one.
    last = count > 0xffff ? now + 1 : now;
    if (last > now) count = 0;
    return `fb-${hex(last, 12)}${hex(count, 4)}${randomBytes(6).toString('hex')}`;
  };
}

function hex(value: number, digits: number): string {
  return value.toString(16).padStart(digits, '0');
}
