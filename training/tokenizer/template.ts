/**
 * The Hugging Face `tokenizer.json` we write: byte-level BPE over lower-cased text. `src/text/normalize.ts` has run
 * before, so NFKC is not repeated here.
 */
export interface TokenizerJson {
  readonly version: '1.0';
  readonly truncation: null;
  readonly padding: null;
  readonly added_tokens: readonly AddedToken[];
  readonly normalizer: object;
  readonly pre_tokenizer: object;
  readonly post_processor: object;
  readonly decoder: object;
  readonly model: BpeModel;
}

interface AddedToken {
  readonly id: number;
  readonly content: string;
  readonly single_word: false;
  readonly lstrip: false;
  readonly rstrip: false;
  readonly normalized: false;
  readonly special: true;
}

interface BpeModel {
  readonly type: 'BPE';
  readonly dropout: null;
  readonly unk_token: null;
  readonly continuing_subword_prefix: null;
  readonly end_of_word_suffix: null;
  readonly fuse_unk: false;
  readonly byte_fallback: false;
  readonly ignore_merges: false;
  readonly vocab: Readonly<Record<string, number>>;
  /** `"left right"`, best first. */
  readonly merges: readonly string[];
}

/** Ids are positions. `<unk>` is never produced, since every byte has a token; tools expect it to exist. */
export const SPECIAL_TOKENS = ['<pad>', '<s>', '</s>', '<unk>', '<mask>'] as const;

/** Id of byte 0; the other bytes follow, then the merges. */
export const FIRST_BYTE_ID = SPECIAL_TOKENS.length;
export const FIRST_MERGE_ID = FIRST_BYTE_ID + 256;

const UNSPACED = '\\p{Thai}\\p{Lao}\\p{Khmer}\\p{Myanmar}';
/** Letters and marks of scripts that write spaces: all that is in no other class of the pattern. */
const SPACED = `[^\\p{N}\\p{P}\\p{S}\\p{Z}\\p{C}\\p{Han}\\p{Hiragana}\\p{Katakana}ー${UNSPACED}]`;

/**
 * One piece is a word with the space before it, up to three digits, a run of signs, or white space. Scripts without
 * spaces are cut where the script changes. No piece is longer than 24 characters and its space, so that no input,
 * such as one letter 100,000 times, makes the merging slow. Valid in Oniguruma and, as the library rewrites script
 * names, in JavaScript; together the alternatives match every character.
 */
export const PIECES = [
  `'(?:s|t|re|ve|m|ll|d)(?!${SPACED})`,
  ` ?${SPACED}{1,24}`,
  ' ?\\p{Han}{1,24}',
  ' ?\\p{Hiragana}{1,24}',
  ' ?[\\p{Katakana}ー]{1,24}',
  ` ?[${UNSPACED}]{1,24}`,
  ' ?\\p{N}{1,3}',
  ' ?[^\\s\\p{L}\\p{M}\\p{N}]{1,12}',
  '\\s{1,12}(?!\\S)',
  '[\\s\\S]',
].join('|');

/** The printable character that stands for each byte in byte-level vocabularies, as GPT-2 fixed it. */
export const BYTE_CHARACTERS: readonly string[] = byteCharacters();

function byteCharacters(): string[] {
  const printable = (byte: number) =>
    (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || (byte >= 0xae && byte <= 0xff);
  let next = 0x100;
  return Array.from({ length: 256 }, (_, byte) => String.fromCharCode(printable(byte) ? byte : next++));
}

/** `merges` are pairs of tokens in byte characters, best first; a token that two merges make keeps its first id. */
export function tokenizerJson(merges: readonly (readonly [string, string])[]): TokenizerJson {
  const vocab = new Map<string, number>();
  for (const token of [...SPECIAL_TOKENS, ...BYTE_CHARACTERS]) vocab.set(token, vocab.size);
  for (const [left, right] of merges) if (!vocab.has(left + right)) vocab.set(left + right, vocab.size);

  const frame = (id: string) => ({ SpecialToken: { id, type_id: 0 } });
  const sequence = (id: string) => ({ Sequence: { id, type_id: 0 } });
  return {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: SPECIAL_TOKENS.map((content, id) => ({
      id,
      content,
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
      special: true,
    })),
    // The leading space makes the first word the same token as in the middle of a text.
    normalizer: { type: 'Sequence', normalizers: [{ type: 'Lowercase' }, { type: 'Prepend', prepend: ' ' }] },
    pre_tokenizer: {
      type: 'Sequence',
      pretokenizers: [
        { type: 'Split', pattern: { Regex: PIECES }, behavior: 'Isolated', invert: false },
        { type: 'ByteLevel', add_prefix_space: false, trim_offsets: false, use_regex: false },
      ],
    },
    post_processor: {
      type: 'TemplateProcessing',
      single: [frame('<s>'), sequence('A'), frame('</s>')],
      pair: [frame('<s>'), sequence('A'), frame('</s>'), sequence('B'), frame('</s>')],
      special_tokens: {
        '<s>': { id: '<s>', ids: [1], tokens: ['<s>'] },
        '</s>': { id: '</s>', ids: [2], tokens: ['</s>'] },
      },
    },
    decoder: {
      type: 'Sequence',
      decoders: [
        { type: 'ByteLevel', add_prefix_space: false, trim_offsets: false, use_regex: false },
        { type: 'Strip', content: ' ', start: 1, stop: 0 },
      ],
    },
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: false,
      vocab: Object.fromEntries(vocab),
      merges: merges.map(([left, right]) => `${left} ${right}`),
    },
  };
}

/** The strings of a `tokenizer.json`'s vocabulary by id; undefined for special tokens and unused ids. */
export function vocabularyTokens(json: object): (string | undefined)[] {
  const { model, added_tokens = [] } = json as Partial<TokenizerJson>;
  const tokens: (string | undefined)[] = [];
  for (const [token, id] of Object.entries(model?.vocab ?? {})) tokens[id] = token;
  for (const { id } of added_tokens) tokens[id] = undefined;
  return Array.from(tokens);
}
