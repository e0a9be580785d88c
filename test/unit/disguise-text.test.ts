import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readText } from '../../src/text/views/readings.ts';
import { disguiseText } from '../../training/data/disguise-text.ts';
import { seededRandom } from '../../training/random.ts';

const TEXT = 'Nobody should read this harmless sentence about gardens.';

function manyOf(text: string, count = 300): string[] {
  const random = seededRandom(1);
  return Array.from({ length: count }, () => disguiseText(text, random));
}

describe('a disguised text', () => {
  it('is mostly another one, in many forms', () => {
    const disguised = manyOf(TEXT);
    expect(disguised.filter((text) => text === TEXT).length).toBeLessThan(30);
    expect(new Set(disguised).size).toBeGreaterThan(150);
  });

  it('is read back by the views of the server in most forms', () => {
    const plain = (text: string): string => text.toLowerCase().replace(/[^a-z]/g, '');
    const readBack = manyOf(TEXT).filter((text) => readText(text).some((one) => plain(one.text.text) === plain(TEXT)));
    expect(readBack.length).toBeGreaterThan(150);
    expect(readBack.length).toBeLessThan(300);
  });

  it('is a function of text and random numbers, well-formed whatever the text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', minLength: 1 }), fc.integer(), (text, seed) => {
        const disguised = disguiseText(text, seededRandom(seed));
        expect(disguiseText(text, seededRandom(seed))).toBe(disguised);
        expect(disguised.length).toBeGreaterThan(0);
        expect(disguised).not.toMatch(/\p{Surrogate}/u);
      }),
    );
  });
});
