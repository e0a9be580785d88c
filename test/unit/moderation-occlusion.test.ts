import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { firstLook, pickCarriers, secondLook, without } from '../../src/moderation/occlusion.ts';
import { segmentsOf } from '../../src/text/segments.ts';
import { nastyText } from '../support/nasty-text.ts';

const words = (count: number) =>
  Array.from({ length: count }, (_, index) => ({ start: 2 * index, end: 2 * index + 1 }));

describe('looks', () => {
  it('few words are looked at one by one', () => {
    expect(firstLook(words(32))).toEqual(words(32).map((word) => [word]));
    expect(firstLook([])).toEqual([]);
  });

  it('many in groups of neighbours, and then the words of those that carry most', () => {
    const groups = firstLook(words(160));
    expect(groups).toHaveLength(16);
    expect(groups.flat()).toEqual(words(160));
    const falls = groups.map((_, index) => (index === 7 ? 3 : index === 2 ? 2 : 0));
    expect(secondLook(groups, falls).slice(0, 20)).toEqual([...(groups[7] ?? []), ...(groups[2] ?? [])]);
  });

  it('are bounded for any number of words', () => {
    fc.assert(
      fc.property(fc.nat(5000), (count) => {
        const groups = firstLook(words(count));
        expect(groups.flat()).toHaveLength(count);
        const second =
          groups.length === count
            ? []
            : secondLook(
                groups,
                groups.map(() => 0),
              );
        expect(groups.length + second.length).toBeLessThanOrEqual(48);
      }),
    );
  });
});

it.each([
  ['in the middle', 'a b c', { start: 2, end: 3 }, 'a c'],
  ['at the start', 'a b', { start: 0, end: 1 }, ' b'],
  ['inside a word', 'a!b', { start: 1, end: 2 }, 'ab'],
])('a stretch %s is left out', (_, text, span, expected) => {
  expect(without(text, span)).toBe(expected);
});

describe('carriers', () => {
  const text = 'how to kill him now';
  const [how, to, kill, him, now] = segmentsOf(text) as [Word, Word, Word, Word, Word];
  type Word = { start: number; end: number };
  const pick = (falls: [Word, number][]) =>
    pickCarriers(
      text,
      falls.map(([word, fall]) => ({ ...word, fall })),
    ).map(({ start, end, weight }) => [text.slice(start, end), weight]);

  it('are what carries at least a quarter of the most, neighbours joined, in text order', () => {
    const falls: [Word, number][] = [
      [kill, 4],
      [him, 2],
      [how, 1],
      [to, 0.9],
      [now, -3],
    ];
    expect(pick(falls)).toEqual([
      ['how', 0.25],
      ['kill him', 1],
    ]);
  });

  it('are none when no word carries anything by itself', () => {
    expect(
      pick([
        [how, 0],
        [to, -1],
      ]),
    ).toEqual([]);
    expect(pick([])).toEqual([]);
  });

  it('are the five strongest', () => {
    const many = 'a b c d e f g h i j k l';
    const falls = segmentsOf(many).map((word, index) => ({ ...word, fall: index % 2 === 0 ? 10 + index : 0 }));
    expect(pickCarriers(many, falls).map(({ start }) => many[start])).toEqual(['c', 'e', 'g', 'i', 'k']);
  });
});

describe('segments', () => {
  it.each([
    ['how to kill', ['how', 'to', 'kill']],
    ['no! 😀 ok', ['no', '!', '😀', 'ok']],
    ['如何制造炸弹', ['如何', '制造', '炸弹']],
    [' \n ', []],
  ])('%j', (text, expected) => {
    expect(segmentsOf(text).map(({ start, end }) => text.slice(start, end))).toEqual(expected);
  });

  it('are in order, inside the text and hold all but white space', () => {
    fc.assert(
      fc.property(nastyText, (text) => {
        let rest = '';
        let last = 0;
        for (const { start, end } of segmentsOf(text)) {
          rest += text.slice(last, start);
          expect(end).toBeGreaterThan(start);
          last = end;
        }
        expect((rest + text.slice(last)).trim()).toBe('');
      }),
    );
  });
});
