import { z } from 'zod';
import { createLibraryTokenizer, type LibraryTokenizer } from './library.ts';
import { createPieceEncoder } from './piece-encoder.ts';

export interface TextTokenizer {
  /** Token ids without `prefix` and `suffix`. Text that spells a special token (`</s>`) is encoded as text. */
  encode(text: string): number[];
  decode(ids: readonly number[]): string;
  /** Ids that the tokenizer's post-processor puts before and after a text. */
  readonly prefix: readonly number[];
  readonly suffix: readonly number[];
  readonly padId: number;
  /** One more than the highest id. */
  readonly vocabSize: number;
}

const addedToken = z
  .object({ id: z.int().nonnegative(), content: z.string(), special: z.boolean().optional() })
  .loose();

/** The parts of `tokenizer.json` that we read ourselves; the library reads the rest. */
const tokenizerFile = z
  .object({
    added_tokens: z.array(addedToken).default([]),
    normalizer: z.unknown().default(null),
    pre_tokenizer: z.unknown().default(null),
    post_processor: z.unknown().default(null),
    decoder: z.unknown().default(null),
    padding: z.object({ pad_id: z.int().nonnegative() }).loose().nullish(),
    // Not a `z.record`: a vocabulary may hold the token `__proto__`.
    model: z.looseObject({
      type: z.enum(['BPE', 'WordPiece', 'Unigram']),
      vocab: z.custom<object>((vocab) => typeof vocab === 'object' && vocab !== null, 'a vocabulary'),
    }),
  })
  .loose();

type TokenizerFile = z.infer<typeof tokenizerFile>;

/** Takes the parsed content of a Hugging Face `tokenizer.json`. Throws an `Error` that says what is wrong with it. */
export function loadTokenizer(json: unknown): TextTokenizer {
  const parsed = tokenizerFile.safeParse(json);
  if (!parsed.success) throw new Error(`not a tokenizer.json: ${z.prettifyError(parsed.error)}`);
  const file = parsed.data;

  // Special tokens are hidden from the library: a user who types one must not be able to place it.
  const typed = file.added_tokens.filter((token) => !token.special);
  const library = createLibraryTokenizer({ ...file, added_tokens: typed });
  const { prefix, suffix } = frameOf(library, file);
  const encodePieces = createPieceEncoder(library, file);
  return {
    encode: encodePieces ?? ((text) => (text === '' ? [] : library.encode(text, { add_special_tokens: false }).ids)),
    decode: (ids) => (ids.length === 0 ? '' : library.decode([...ids], { clean_up_tokenization_spaces: false })),
    prefix,
    suffix,
    padId: padIdOf(file),
    vocabSize: 1 + highestId(file),
  };
}

/** Sends a token that no vocabulary holds through the post-processor and looks what comes before and after it. */
function frameOf(library: LibraryTokenizer, file: TokenizerFile): { prefix: number[]; suffix: number[] } {
  const marker = '\0text\0';
  const tokens = library.post_processor?.([marker], null, true).tokens ?? [marker];
  const at = tokens.indexOf(marker);
  if (at < 0) throw new Error('tokenizer.json: the post-processor drops the text');
  const special = new Map(file.added_tokens.map((token) => [token.content, token.id]));
  const toId = (token: string): number => {
    const id = special.get(token) ?? library.model.tokens_to_ids.get(token);
    if (id === undefined) throw new Error(`tokenizer.json: the post-processor adds ${token}, which has no id`);
    return id;
  };
  return { prefix: tokens.slice(0, at).map(toId), suffix: tokens.slice(at + 1).map(toId) };
}

function padIdOf(file: TokenizerFile): number {
  const pad = file.added_tokens.find((token) => token.content === '<pad>' || token.content === '[PAD]');
  const id = pad?.id ?? file.padding?.pad_id;
  if (id === undefined) throw new Error('tokenizer.json names no padding token (<pad>, [PAD] or padding.pad_id)');
  return id;
}

function highestId(file: TokenizerFile): number {
  const { vocab } = file.model;
  let highest = Array.isArray(vocab) ? vocab.length - 1 : -1;
  if (!Array.isArray(vocab)) for (const id of Object.values(vocab)) highest = Math.max(highest, Number(id));
  for (const { id } of file.added_tokens) highest = Math.max(highest, id);
  return highest;
}
