import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Choice, newsOf, type Pointers, startOrder } from '../../src/checkpoint/choice.ts';

const name = fc.constantFrom('a', 'b', 'c');
const pointers: fc.Arbitrary<Pointers> = fc.record({ published: fc.option(name), shipped: fc.option(name) });
const choice: fc.Arbitrary<Choice> = fc.record({ id: name, previous: fc.option(name), seen: pointers });

describe('newsOf', () => {
  test('what the server saw when it chose is no news', () => {
    fc.assert(
      fc.property(choice, (known) => {
        expect(newsOf(known.seen, known)).toEqual([]);
      }),
    );
  });

  test('without a choice everything is news, the publisher first', () => {
    expect(newsOf({ published: 'b', shipped: 'a' }, undefined)).toEqual(['b', 'a']);
    expect(newsOf({ published: null, shipped: 'a' }, undefined)).toEqual(['a']);
  });

  test('a new release does not replace what was trained here, and a new publish does', () => {
    const trained: Choice = { id: 'b', previous: 'a', seen: { published: 'b', shipped: 'a' } };
    expect(newsOf({ published: 'b', shipped: 'c' }, trained)).toEqual([]);
    expect(newsOf({ published: 'c', shipped: 'a' }, trained)).toEqual(['c']);
  });

  test('a new release replaces the one before', () => {
    const shipped: Choice = { id: 'a', previous: null, seen: { published: null, shipped: 'a' } };
    expect(newsOf({ published: null, shipped: 'b' }, shipped)).toEqual(['b']);
  });
});

describe('startOrder', () => {
  test('tries every checkpoint that anything names, once', () => {
    fc.assert(
      fc.property(fc.option(choice, { nil: undefined }), pointers, (known, now) => {
        const order = startOrder(known, now);
        expect(new Set(order).size).toBe(order.length);
        const named = [known?.id, known?.previous, now.published, now.shipped].filter((id) => typeof id === 'string');
        expect(new Set(order)).toEqual(new Set(named));
      }),
    );
  });

  test('the choice holds until a pointer says something new', () => {
    const rolledBack: Choice = { id: 'a', previous: null, seen: { published: 'b', shipped: 'a' } };
    expect(startOrder(rolledBack, rolledBack.seen)[0]).toBe('a');
    expect(startOrder(rolledBack, { published: 'c', shipped: 'a' })[0]).toBe('c');
  });
});
