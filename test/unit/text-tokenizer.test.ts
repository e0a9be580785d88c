import { describe, expect, it } from 'vitest';
import { createLibraryTokenizer } from '../../src/text/library.ts';
import { compileTokenizer, loadLibrary, loadTokenizer, openTokenizer } from '../../src/text/tokenizer.ts';
import { BYTE_CHARACTERS, tokenizerJson } from '../../training/tokenizer/template.ts';

const merges = ['h e', 'l l', 'he ll', 'Ġ hell', 'Ġhell o'].map((merge) => merge.split(' ') as [string, string]);
const json = tokenizerJson(merges);
const libraryIds = (file: object, text: string) =>
  createLibraryTokenizer({ ...file, added_tokens: [] }).encode(text, { add_special_tokens: false }).ids;

describe('loadTokenizer', () => {
  it('says what is wrong with a file', () => {
    expect(() => loadTokenizer(null)).toThrow('not a tokenizer.json');
    expect(() => loadTokenizer({})).toThrow(/not a tokenizer.json[\s\S]*model/);
    const frame = (...single: object[]) => ({
      ...json,
      post_processor: { type: 'TemplateProcessing', single, pair: [] },
    });
    const added = { SpecialToken: { id: '<x>', type_id: 0 } };
    expect(() => loadTokenizer(frame(added))).toThrow('drops the text');
    expect(() => loadTokenizer(frame(added, { Sequence: { id: 'A', type_id: 0 } }))).toThrow('<x>, which has no id');
    const noPad = json.added_tokens.filter((token) => token.content !== '<pad>');
    expect(() => loadTokenizer({ ...json, added_tokens: noPad })).toThrow('no padding token');
    expect(() => loadTokenizer({ ...json, model: { ...json.model, type: 'Nonsense' } })).toThrow();
  });

  it('encodes nothing as nothing', () => {
    expect(loadTokenizer(json).encode('')).toEqual([]);
    expect(loadTokenizer(json).decode([])).toBe('');
  });

  it('keeps its ids when more pieces went through than the cache holds', () => {
    const tokenizer = loadTokenizer(json);
    const library = createLibraryTokenizer({ ...json, added_tokens: [] });
    const before = tokenizer.encode('hello');
    for (let i = 0; i < 100_000; i += 1)
      tokenizer.encode(String(i).replace(/\d/g, (digit) => 'abcdefghij'[Number(digit)] as string));
    expect(tokenizer.encode('hello')).toEqual(before);
    const text = 'hello w4x hello shell 12345 w77x';
    expect(tokenizer.encode(text)).toEqual(library.encode(text, { add_special_tokens: false }).ids);
  });

  it('does not let a caller change what the cache remembers', () => {
    const tokenizer = loadTokenizer(json);
    const before = [...tokenizer.encode('hello')];
    tokenizer.encode('hello').fill(0);
    expect(tokenizer.encode('hello')).toEqual(before);
  });
});

describe('compileTokenizer', () => {
  const posted = () => structuredClone(compileTokenizer(json) as NonNullable<ReturnType<typeof compileTokenizer>>);
  const never = () => {
    throw new Error('the vocabulary was asked for');
  };

  it('gives the same tokenizer to another thread', () => {
    const opened = openTokenizer(posted(), never);
    const loaded = loadTokenizer(json);
    const text = 'hello shell, 12 é 日本 👍 <s>';
    expect(opened.encode(text)).toEqual(libraryIds(json, text));
    expect(opened.decode(opened.encode(text))).toBe(text);
    expect(opened).toMatchObject({ prefix: loaded.prefix, suffix: loaded.suffix, padId: 0 });
    expect(opened.vocabSize).toBe(loaded.vocabSize);
  });

  it('asks for the vocabulary only for pieces of any length, and once', () => {
    const pattern = { type: 'Split', pattern: { Regex: ' ?[^ ]+' }, behavior: 'Isolated', invert: false };
    const file = { ...json, pre_tokenizer: { type: 'Sequence', pretokenizers: [pattern, byteLevel] } };
    let asked = 0;
    const opened = openTokenizer(structuredClone(compileTokenizer(file)) as ReturnType<typeof posted>, () => {
      asked += 1;
      return loadLibrary(file);
    });
    opened.encode('hello');
    expect(asked).toBe(0);
    const text = `${'hello'.repeat(200)} ${'shell'.repeat(200)}`;
    expect(opened.encode(text)).toEqual(libraryIds(file, text));
    expect(asked).toBe(1);
  });

  it('leaves other kinds, and ids with wide gaps, to the library', () => {
    expect(compileTokenizer({ ...json, pre_tokenizer: byteLevel })).toBeUndefined();
    const vocab = { ...json.model.vocab, far: 1_000_000_000 };
    expect(compileTokenizer({ ...json, model: { ...json.model, vocab } })).toBeUndefined();
  });
});

const byteLevel = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: false, use_regex: false };

/** Files that others wrote: each has something our fast path does not know, and must give the library's ids all the same. */
describe('other tokenizers', () => {
  const split = (Regex: string) => ({ type: 'Split', pattern: { Regex }, behavior: 'Isolated', invert: false });
  const sequence = (...pretokenizers: object[]) => ({ type: 'Sequence', pretokenizers });
  const text = 'Hello hello shell, HELL  and\nhello 123 é 日本 👍';

  it.each<[string, object]>([
    ['pieces without a limit', { pre_tokenizer: sequence(split(' ?[^ ]+'), byteLevel) }],
    ['a split that leaves gaps', { pre_tokenizer: sequence(split('ell'), byteLevel) }],
    ['no split at all', { pre_tokenizer: sequence(byteLevel) }],
    ['GPT-2', { pre_tokenizer: { ...byteLevel, use_regex: true } }],
    [
      'a later stage that adds spaces',
      { pre_tokenizer: sequence(split(' ?[^ ]+'), { ...byteLevel, add_prefix_space: true }) },
    ],
    ['whole words first', { model: { ...json.model, ignore_merges: true } }],
    ['merges as pairs', { model: { ...json.model, merges } }],
  ])('%s', (_, changes) => {
    const file = { ...json, ...changes };
    const tokenizer = loadTokenizer(file);
    for (const input of [text, text.repeat(50), 'hello'.repeat(200)]) {
      expect(tokenizer.encode(input)).toEqual(libraryIds(file, input));
    }
  });

  it('WordPiece between [CLS] and [SEP]', () => {
    const tokens = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', 'hell', '##o', 'world'];
    const tokenizer = loadTokenizer({
      added_tokens: tokens.slice(0, 4).map((content, id) => ({ id, content, special: true })),
      normalizer: { type: 'BertNormalizer', clean_text: true, lowercase: true, strip_accents: null },
      pre_tokenizer: { type: 'BertPreTokenizer' },
      post_processor: { type: 'BertProcessing', sep: ['[SEP]', 3], cls: ['[CLS]', 2] },
      decoder: { type: 'WordPiece', prefix: '##', cleanup: true },
      model: {
        type: 'WordPiece',
        unk_token: '[UNK]',
        continuing_subword_prefix: '##',
        max_input_chars_per_word: 100,
        vocab: Object.fromEntries(tokens.map((token, id) => [token, id])),
      },
    });
    expect(tokenizer).toMatchObject({ prefix: [2], suffix: [3], padId: 0, vocabSize: 7 });
    expect(tokenizer.encode('Hello world no')).toEqual([4, 5, 6, 1]);
  });

  it('added tokens that are not special keep their meaning', () => {
    const added = { id: 900, content: '<brand>', special: false, normalized: false };
    const tokenizer = loadTokenizer({ ...json, added_tokens: [...json.added_tokens, added] });
    expect(tokenizer.encode('a <brand> b')).toContain(900);
    expect(tokenizer.vocabSize).toBe(901);
  });
});

it('byte characters are those of GPT-2', () => {
  expect(BYTE_CHARACTERS[0x20]).toBe('Ġ');
  expect(BYTE_CHARACTERS[0x0a]).toBe('Ċ');
  expect(new Set(BYTE_CHARACTERS).size).toBe(256);
});
