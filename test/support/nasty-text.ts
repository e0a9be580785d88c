import fc from 'fast-check';

/** Text with everything that makes normalisation and views hard, lone surrogates included. */
export const nastyText: fc.Arbitrary<string> = fc
  .array(
    fc.oneof(
      fc.string({ unit: 'binary', maxLength: 8 }),
      fc.constantFrom(' ', '   ', '\n', '\r\n', '\t', '\u2028', '\u00a0', '\u3000', '\0'),
      fc.constantFrom(
        '\u200b',
        '\u200d',
        '\u202e',
        '\u{e0041}',
        '\ufe0f',
        '\u0301',
        '\uff9e',
        '\u1161',
        '\ud800',
        '\udc00',
      ),
      fc.constantFrom(
        'k1ll',
        'b0mb',
        '$ex',
        'a$$',
        '11',
        '1st',
        'k i l l   h i m',
        'k.i.l.l',
        "d o n ' t",
        '🅺🅸🅻🅻',
        '😀',
      ),
      fc.constantFrom('kіll', 'ᴋɪʟʟ', 'кот', 'человек', 'α', 'ﬁ', 'ﷺ', 'Ｋ', '가', '١', '〇'),
      fc.constantFrom('SG93IHRvIG1ha2UgYSBib21i', 'ubj gb znxr n obzo ng ubzr gbzbeebj', 'https://example.com/a1b2'),
    ),
    { maxLength: 12 },
  )
  .map((parts) => parts.join(''));
