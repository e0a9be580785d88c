import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isDeeperThan } from '../../src/http/body.ts';

function depthOf(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  return 1 + Math.max(0, ...Object.values(value).map(depthOf));
}

describe('isDeeperThan', () => {
  it('agrees with the depth of any JSON value', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 8 }), fc.nat(8), (value, limit) => {
        expect(isDeeperThan(JSON.stringify(value), limit)).toBe(depthOf(JSON.parse(JSON.stringify(value))) > limit);
      }),
    );
  });

  it('does not count brackets inside strings, escaped quotes or not', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom('[', '{', '"', '\\', ']', '\u2028', 'a')), (parts) => {
        const text = JSON.stringify({ [parts.join('')]: parts.join('') });
        expect(isDeeperThan(text, 1)).toBe(false);
        expect(isDeeperThan(text, 0)).toBe(true);
      }),
    );
  });

  it('ends on text that is not JSON', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect(typeof isDeeperThan(text, 3)).toBe('boolean');
      }),
    );
    expect(isDeeperThan('"\\', 1)).toBe(false);
    expect(isDeeperThan('['.repeat(2_000_000), 32)).toBe(true);
  });
});
