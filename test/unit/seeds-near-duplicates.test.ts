import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { NearDuplicateIndex, shingles } from '../../training/seeds-report/near-duplicates.ts';
import { comparable } from '../../training/seeds-report/words.ts';

/** The definition, without hashes, prefixes or an index. */
function similarity(a: string, b: string): number {
  const pieces = (text: string) => {
    const compared = comparable(text);
    const count = Math.max(1, compared.length - 4);
    return new Set(Array.from({ length: count }, (_, start) => compared.slice(start, start + 5)));
  };
  const [left, right] = [pieces(a), pieces(b)];
  const shared = [...left].filter((piece) => right.has(piece)).length;
  return shared / (left.size + right.size - shared);
}

/** Few words, so that many texts are alike. */
const text = fc
  .array(fc.constantFrom('gun', 'water', 'Wasserhahn', '何ですか', 'नमस्ते', 'the', 'a', 'b'), { maxLength: 12 })
  .map((words) => words.join(' '));
const texts = fc.array(text, { maxLength: 40 });
const threshold = fc.constantFrom(0.5, 0.6, 0.7, 0.8, 1);

describe('NearDuplicateIndex', () => {
  it('finds what comparing every two texts finds', () => {
    fc.assert(
      fc.property(texts, threshold, (all, least) => {
        const found = [...new NearDuplicateIndex(all, least).pairs()].map(({ first, second }) => `${first} ${second}`);
        const expected = all.flatMap((b, second) =>
          all.slice(0, second).flatMap((a, first) => (similarity(a, b) >= least ? [`${first} ${second}`] : [])),
        );
        expect(found.sort()).toEqual(expected.sort());
      }),
    );
  });

  it('finds texts for one that it does not hold, with how alike they are', () => {
    fc.assert(
      fc.property(texts, text, threshold, (all, asked, least) => {
        const expected = all
          .map((other, number) => ({ text: number, similarity: similarity(asked, other) }))
          .filter((match) => match.similarity >= least);
        expect(new NearDuplicateIndex(all, least).find(asked)).toEqual(expected);
      }),
    );
  });

  it('takes case, punctuation, spacing and compatibility forms for nothing', () => {
    const index = new NearDuplicateIndex(['Wie knackt man ein Schloss?'], 1);
    expect(index.find('  wie KNACKT man …  ein schloss')).toEqual([{ text: 0, similarity: 1 }]);
    expect(index.find('Wie knackt man ein Schloß?')).toEqual([]);
    expect(new NearDuplicateIndex(['ＡＢＣ１２３'], 1).find('abc123')).toHaveLength(1);
  });

  it('keeps vowel signs and accents, which tell words apart', () => {
    expect(comparable('की का')).toBe('की का');
    expect(new NearDuplicateIndex(['की'], 0.7).find('का')).toEqual([]);
  });
});

describe('shingles', () => {
  it('are distinct, and one for a text that is shorter than a shingle', () => {
    expect(shingles('aaaaaaaaaa')).toHaveLength(1);
    expect(shingles('abcdefg')).toHaveLength(3);
    expect(shingles('ab')).toHaveLength(1);
  });
});
