import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createLibraryTokenizer } from '../../src/text/library.ts';
import { normalize } from '../../src/text/normalize.ts';
import { loadTokenizer } from '../../src/text/tokenizer.ts';
import { BYTE_CHARACTERS, PIECES, SPECIAL_TOKENS } from '../../training/tokenizer/template.ts';
import { trainTokenizer } from '../../training/tokenizer/train.ts';

const WORDS =
  "the cat's hat isn't that bad there théâtre l'été aaaa aaaaaaa 1234 2025 <s> </s> don't __proto__ constructor 你好 世界 你好世界 東京タワー ひらがな สวัสดีครับ привет мир नमस्ते مرحبا 안녕하세요 👍👍🏽 !!! ...\n\n\n x";

/** Zipf-like text over a small vocabulary of many scripts, the same each time. */
function* corpus(): Generator<string> {
  const words = WORDS.split(' ');
  for (let i = 0; i < 2000; i += 1) {
    yield Array.from({ length: 12 }, (_, j) => words[((i * 31 + j * 17) ** 2 % 977) % words.length]).join(' ');
  }
}

const json = trainTokenizer(corpus(), { vocabSize: 440 });
const tokenizer = loadTokenizer(json);
const library = createLibraryTokenizer({ ...json, added_tokens: [] });

/** Byte-pair encoding as the paper words it, slowly: apply the best merge anywhere until none applies. */
function referenceEncode(text: string): number[] {
  if (text === '') return [];
  const pattern = new RegExp(PIECES.replace(/\\p\{([A-Z]\w\w+)\}/g, '\\p{Script=$1}'), 'gu');
  const ranks = new Map(json.model.merges.map((merge, rank) => [merge, rank]));
  const rankAt = (tokens: string[], i: number) => ranks.get(`${tokens[i]} ${tokens[i + 1]}`) ?? Infinity;
  return [...` ${text.toLowerCase()}`.matchAll(pattern)].flatMap(([piece]) => {
    const tokens = Array.from(new TextEncoder().encode(piece), (byte) => BYTE_CHARACTERS[byte] as string);
    for (;;) {
      let best = 0;
      for (let i = 1; i < tokens.length; i += 1) if (rankAt(tokens, i) < rankAt(tokens, best)) best = i;
      if (rankAt(tokens, best) === Infinity) break;
      tokens.splice(best, 2, `${tokens[best]}${tokens[best + 1]}`);
    }
    return tokens.map((token) => json.model.vocab[token] as number);
  });
}

const anyText = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 60 }),
  fc
    .array(fc.constantFrom(...WORDS.split(' '), ' ', '\n', '  ', "'S", '\ud800', 'İ', 'Σ'), { maxLength: 20 })
    .map((parts) => parts.join('')),
  fc.array(fc.constantFrom(...WORDS.split(' ')), { maxLength: 20 }).map((words) => words.join(' ')),
);

describe('a trained tokenizer', () => {
  it('gives the ids of the library and of a plain reading of the algorithm', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        const ids = tokenizer.encode(text);
        expect(ids).toEqual(text === '' ? [] : library.encode(text, { add_special_tokens: false }).ids);
        expect(ids).toEqual(referenceEncode(text));
      }),
      { numRuns: 400 },
    );
  });

  it('decodes to the lower-cased text', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        const lower = text.replace(/\p{Surrogate}/gu, '\ufffd').toLowerCase();
        expect(tokenizer.decode(tokenizer.encode(text))).toBe(lower);
      }),
      { numRuns: 400 },
    );
  });

  it('has the special tokens, all bytes and the frame that the models expect', () => {
    expect(SPECIAL_TOKENS.map((token) => json.model.vocab[token])).toEqual([0, 1, 2, 3, 4]);
    expect(BYTE_CHARACTERS.map((token) => json.model.vocab[token])).toEqual(
      Array.from({ length: 256 }, (_, i) => 5 + i),
    );
    expect(tokenizer).toMatchObject({ prefix: [1], suffix: [2], padId: 0, vocabSize: 440 });
    expect(new Set(Object.values(json.model.vocab)).size).toBe(440);
  });

  it('learned words, also those named like properties of objects', () => {
    for (const word of ['constructor', '__proto__', 'there', '你好', 'привет']) {
      expect(tokenizer.encode(word).length).toBeLessThan(5);
    }
  });

  it('encodes typed special tokens as text', () => {
    for (const special of SPECIAL_TOKENS) {
      const ids = tokenizer.encode(`a ${special} b`);
      expect(ids.every((id) => id >= SPECIAL_TOKENS.length)).toBe(true);
      expect(tokenizer.decode(ids)).toBe(`a ${special} b`);
    }
  });

  it('cuts long words, so that one letter 100,000 times is many short pieces', () => {
    const ids = tokenizer.encode('a'.repeat(100_000));
    expect(tokenizer.decode(ids)).toBe('a'.repeat(100_000));
    expect(tokenizer.encode('a'.repeat(200_000)).slice(0, 20_000)).toEqual(ids.slice(0, 20_000));
  });
});

describe('training', () => {
  it('merges the most frequent pair first', () => {
    const { merges } = trainTokenizer(['ab xab ab', 'bc'], { vocabSize: 263 }).model;
    expect(merges).toEqual(['a b', 'Ġ ab']);
  });

  it('is deterministic and does not depend on the order of texts', () => {
    const texts = [...corpus()];
    expect(trainTokenizer(texts, { vocabSize: 440 })).toEqual(json);
    expect(trainTokenizer(texts.reverse(), { vocabSize: 440 })).toEqual(json);
  });

  it('stops when no pair is frequent enough', () => {
    expect(trainTokenizer(['abc'], { vocabSize: 1000 }).model.merges).toEqual([]);
    expect(trainTokenizer([], { vocabSize: 1000 }).model.merges).toEqual([]);
  });

  it('forgets rare words when there are too many', () => {
    const rare = Array.from({ length: 500 }, (_, i) => `rare${i}`);
    const { model } = trainTokenizer([...rare, ...Array(50).fill('common common')], { vocabSize: 400, maxWords: 20 });
    expect(model.merges.some((merge) => merge.replace(' ', '') === 'Ġcommon')).toBe(true);
  });

  it('normalises as the server does', () => {
    const hidden = trainTokenizer(Array(3).fill('ｂ\u200bo\u200dmb'), { vocabSize: 270 });
    const plain = trainTokenizer(Array(3).fill(normalize('bomb').text), { vocabSize: 270 });
    expect(hidden).toEqual(plain);
  });
});
