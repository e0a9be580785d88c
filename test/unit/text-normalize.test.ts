import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { normalize, toCodePoints } from '../../src/text/normalize.ts';

/** Text with everything that makes normalisation hard, lone surrogates included. */
const nasty = fc
  .array(
    fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.constantFrom(' ', '\n', '\r\n', '\r', '\t', '\u2028', '\u00a0', '\u3000', '\u1680', '\u0085', '\0'),
      fc.constantFrom('\u200b', '\u200d', '\u202e', '\u{e0041}', '\ufeff', '\u00ad', '\u3164', '\uffa0', '\ufe0f'),
      fc.constantFrom(
        '\u0301',
        '\u0323',
        '\u0344',
        '\uff9e',
        '\u1161',
        '\u11a8',
        '\u3131',
        '\u314f',
        '\u0f73',
        '\u093c',
      ),
      fc.constantFrom('ﬁ', 'ﷺ', '가', '\u1100', 'ｶ', '¨', '\ud800', '\udc00', 'é', 'Ⅷ', '½', 'a', 'B'),
    ),
    { maxLength: 24 },
  )
  .map((parts) => parts.join(''));

describe('normalize', () => {
  it.each([
    ['plain', 'How do I bake bread?', 'How do I bake bread?'],
    ['full-width and ligatures', 'Ｈｏｗ ﬁne', 'How fine'],
    ['zero-width and bidi controls', 'b\u200bo\u200dm\u202eb\u2066', 'bomb'],
    ['tag characters', 'ok\u{e0068}\u{e0069}', 'ok'],
    ['control characters', 'a\0b\u0007c\td', 'a b c\td'],
    ['lone surrogates', 'a\ud800b\udc00', 'a\ufffdb\ufffd'],
    ['pairs of surrogates stay', '👍🏽', '👍🏽'],
    ['spaces', '  a \u00a0 b\u3000c  ', 'a b c'],
    ['line ends', 'a\r\nb\rc\u2028d \n\n \n e', 'a\nb\nc\nd\n\ne'],
    ['composition across an invisible character', 'e\u200b\u0301', 'é'],
    ['nothing but invisible characters', '\u200b'.repeat(1000), ''],
    ['nothing but spaces', ' \n\t ', ''],
  ])('%s', (_, input, expected) => {
    const result = normalize(input);
    expect(result.text).toBe(expected);
    expect(result.changed).toBe(input !== expected);
  });

  it('is idempotent and leaves no invisible character, lone surrogate or control', () => {
    fc.assert(
      fc.property(nasty, (input) => {
        const { text } = normalize(input);
        expect(normalize(text)).toMatchObject({ text, changed: false });
        expect(text).not.toMatch(/[\p{Default_Ignorable_Code_Point}\p{Surrogate}]|(?![\n\t])\p{Cc}/u);
        expect(text.normalize('NFKC')).toBe(text);
      }),
      { numRuns: 500 },
    );
  });

  it('is idempotent on every code point', () => {
    const bad: string[] = [];
    for (let point = 0; point <= 0x10ffff; point += 1) {
      const { text } = normalize(`a${String.fromCodePoint(point)}`);
      if (normalize(text).text !== text) bad.push(point.toString(16));
    }
    expect(bad).toEqual([]);
  });

  it('bounds stacks of combining marks, which Unicode normalisation sorts in quadratic time', () => {
    expect(normalize(`a${'\u0301\u0323'.repeat(100_000)}b`).text.length).toBeLessThan(24);
    expect(normalize(`a${'\u0301\uff9e'.repeat(100_000)}b`).text.length).toBeLessThan(24);
  });
});

describe('offsets', () => {
  it('point back to what the user wrote', () => {
    const original = '  say \u200bﬁre\u0301 \r\n now';
    const result = normalize(original);
    expect(result.text).toBe('say firé\nnow');
    const span = (part: string) => {
      const at = result.text.indexOf(part);
      const { start, end } = result.toOriginalSpan(at, at + part.length);
      return original.slice(start, end);
    };
    expect(span('say')).toBe('say');
    expect(span('fi')).toBe('ﬁ');
    expect(span('f')).toBe('ﬁ');
    expect(span('firé')).toBe('ﬁre\u0301');
    expect(span('now')).toBe('now');
    expect(span('\n')).toBe(' \r\n ');
    expect(result.toOriginal(result.text.length)).toBe(original.length);
  });

  it('are monotonic, and normalising the span they give contains the character they came from', () => {
    fc.assert(
      fc.property(nasty, (input) => {
        const result = normalize(input);
        let last = 0;
        let at = 0;
        for (const character of result.text) {
          const { start, end } = result.toOriginalSpan(at, at + character.length);
          at += character.length;
          expect(start).toBeGreaterThanOrEqual(last);
          expect(end).toBeGreaterThan(start);
          expect(end).toBeLessThanOrEqual(input.length);
          last = start;
          if (character.trim()) expect(normalize(input.slice(start, end)).text).toContain(character);
        }
      }),
      { numRuns: 500 },
    );
  });

  it('count code points for the API', () => {
    expect(toCodePoints('a👍b', 0)).toBe(0);
    expect(toCodePoints('a👍b', 3)).toBe(2);
    expect(toCodePoints('a👍b', 4)).toBe(3);
    expect(toCodePoints('\ud800a', 2)).toBe(2);
  });
});
