import fc from 'fast-check';
import { expect, test } from 'vitest';
import { applyEdits } from '../../src/text/mapped-text.ts';
import { compilePhrases } from '../../src/text/phrases.ts';

const MATCHER = compilePhrases(['Project Falcon', 'kill -9', '秘密', 'project']);

test.each([
  ['about project falcon today', 0],
  ['PROJECT,  falcon!', 0],
  ['projects falcon', undefined],
  ['a project', 3],
  ['a subproject', undefined],
  ['run kill -9 now', 1],
  ['kill -91', undefined],
  ['これは秘密です', 2],
  ['', undefined],
])('%s', (text, phrase) => {
  expect(MATCHER.first(text)).toBe(phrase);
});

test('the longest phrase at a place is taken out, and nothing else', () => {
  const text = 'my project falcon and a project, subproject';
  expect(applyEdits(text, MATCHER.removals(text)).text).toBe('my  and a , subproject');
});

test('removals are in order, do not overlap, and leave no phrase that stood there', () => {
  const words = fc.array(fc.constantFrom('a', 'b', 'c', 'd', 'ab', ',', '秘'), { maxLength: 30 });
  fc.assert(
    fc.property(
      words,
      fc.array(fc.array(fc.constantFrom('a', 'b', 'c', '秘'), { minLength: 1, maxLength: 3 })),
      (text, lists) => {
        const joined = text.join(' ');
        const matcher = compilePhrases(lists.map((list) => list.join(' ')));
        const removals = matcher.removals(joined);
        expect(removals.length > 0).toBe(matcher.first(joined) !== undefined);
        let end = 0;
        for (const removal of removals) {
          expect(removal.start).toBeGreaterThanOrEqual(end);
          end = removal.end;
        }
      },
    ),
  );
});

test('a long text of repeated beginnings is read in linear time', () => {
  const long = compilePhrases([`${'a '.repeat(99)}b`]);
  expect(long.first('a '.repeat(100_000))).toBeUndefined();
});
