import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { renderItem } from '../../src/text/render.ts';
import { mergeWindows, splitWindows } from '../../src/text/windows.ts';

const frame = { prefix: [1], suffix: [2] };

describe('splitWindows', () => {
  it.each([
    [0, [[1, 2]]],
    [3, [[1, 10, 11, 12, 2]]],
    [4, [[1, 10, 11, 12, 13, 2]]],
    [
      5,
      [
        [1, 10, 11, 12, 13, 2],
        [1, 11, 12, 13, 14, 2],
      ],
    ],
    [
      8,
      [
        [1, 10, 11, 12, 13, 2],
        [1, 13, 14, 15, 16, 2],
        [1, 14, 15, 16, 17, 2],
      ],
    ],
  ])('%i tokens in windows of 6 with stride 3', (count, expected) => {
    const ids = Array.from({ length: count }, (_, i) => 10 + i);
    const windows = splitWindows(ids, { maxTokens: 6, stride: 3, ...frame });
    expect(windows.map((window) => [...window])).toEqual(expected);
  });

  it('holds every token in order, and every window of a long text is full', () => {
    const sizes = fc
      .record({ count: fc.nat(300), capacity: fc.integer({ min: 1, max: 40 }) })
      .chain((size) => fc.record({ ...constants(size), stride: fc.integer({ min: 1, max: size.capacity }) }));
    fc.assert(
      fc.property(sizes, ({ count, capacity, stride }) => {
        const ids = Array.from({ length: count }, (_, i) => 10 + i);
        const windows = splitWindows(ids, { maxTokens: capacity + 2, stride, ...frame });
        const seen = new Set<number>();
        let previous = -1;
        for (const window of windows) {
          expect([window[0], window.at(-1)]).toEqual([1, 2]);
          const content = [...window.subarray(1, -1)];
          expect(content).toEqual(ids.slice((content[0] ?? 10) - 10, (content[0] ?? 10) - 10 + content.length));
          expect(content.length).toBe(Math.min(count, capacity));
          expect(content[0] ?? 10).toBeGreaterThan(previous);
          previous = content[0] ?? 10;
          for (const id of content) seen.add(id);
        }
        expect(seen.size).toBe(count);
      }),
    );
  });

  it('refuses sizes that would loop for ever or lose tokens', () => {
    expect(() => splitWindows([1], { maxTokens: 2, stride: 1, ...frame })).toThrow(RangeError);
    expect(() => splitWindows([1], { maxTokens: 6, stride: 0, ...frame })).toThrow(RangeError);
    expect(() => splitWindows([1], { maxTokens: 6, stride: 5, ...frame })).toThrow(RangeError);
    expect(() => splitWindows([1], { maxTokens: Number.NaN, stride: 1, ...frame })).toThrow(RangeError);
  });
});

function constants<T extends object>(values: T): { [K in keyof T]: fc.Arbitrary<T[K]> } {
  return Object.fromEntries(Object.entries(values).map(([key, value]) => [key, fc.constant(value)])) as {
    [K in keyof T]: fc.Arbitrary<T[K]>;
  };
}

describe('mergeWindows', () => {
  it('takes the maximum of each category', () => {
    expect([...mergeWindows([[0.5, 0.25], Float32Array.of(0.125, 0.75)])]).toEqual([0.5, 0.75]);
    expect([...mergeWindows([[0.5]])]).toEqual([0.5]);
    expect(() => mergeWindows([])).toThrow(RangeError);
  });
});

describe('renderItem', () => {
  it('joins conversations and pairs by line ends', () => {
    expect(renderItem('a')).toBe('a');
    expect(renderItem({ prompt: 'q', response: 'r' })).toBe('q\nr');
    const messages = [
      { role: 'user', content: 'q' },
      { role: 'assistant', content: 'r' },
    ];
    expect(renderItem({ messages })).toBe('q\nr');
  });
});
