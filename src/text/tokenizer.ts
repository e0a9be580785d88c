import { z } from 'zod';
import type { MergeTables } from './bpe-merger.ts';
import { createLibraryTokenizer, type LibraryTokenizer } from './library.ts';
import { createPieceEncoder, tabulatePieces } from './piece-encoder.ts';

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

/**
 * A tokenizer whose pieces can be encoded one by one, as another thread can hand it over: making it of a `tokenizer.json`
 * takes a tenth of a second, opening it a millisecond.
 */
export interface CompiledTokenizer {
  /** The file without vocabulary and merges: the stages around the model. */
  readonly stages: object;
  readonly merges: MergeTables;
  /** All tokens one behind the other, and where each begins and the last ends. */
  readonly tokens: string;
  readonly tokenStarts: Uint32Array<ArrayBuffer>;
  readonly frame: Frame;
}

interface Frame extends Pick<TextTokenizer, 'prefix' | 'suffix' | 'padId' | 'vocabSize'> {}

/** Takes the parsed content of a Hugging Face `tokenizer.json`. Throws an `Error` that says what is wrong with it. */
export function loadTokenizer(json: unknown): TextTokenizer {
  const compiled = compileTokenizer(json);
  return compiled ? openTokenizer(compiled, () => loadLibrary(json)) : wholeTokenizer(readFile(json));
}

/** Throws as `loadTokenizer` does. Undefined when the tokenizer is of a kind that only the library encodes. */
export function compileTokenizer(json: unknown): CompiledTokenizer | undefined {
  const file = readFile(json);
  if (file.model.type !== 'BPE') return undefined;
  const idOf = new Map<string, number>(Object.entries(file.model.vocab));
  const merges = tabulatePieces(file, idOf);
  if (merges === undefined) return undefined;
  const stages = { ...file, added_tokens: [], model: { ...file.model, vocab: {}, merges: [] } };
  const library = createLibraryTokenizer(stages);
  if (!library.pre_tokenizer?.tokenizers?.[0]?.pattern) return undefined;
  const tokens: string[] = [];
  for (const [token, id] of idOf) tokens[id] = token;
  // Ids with wide gaps would make a table of nothing.
  if (tokens.length > 2 * idOf.size) return undefined;
  const tokenStarts = new Uint32Array(tokens.length + 1);
  for (let id = 0; id < tokens.length; id++)
    tokenStarts[id + 1] = (tokenStarts[id] as number) + (tokens[id]?.length ?? 0);
  return { stages, merges, tokens: tokens.join(''), tokenStarts, frame: frameOf(library, file, idOf) };
}

/** `whole` gives the library's tokenizer of the whole file, for pieces too long for our merging. */
export function openTokenizer(compiled: CompiledTokenizer, whole: () => LibraryTokenizer): TextTokenizer {
  const { stages, merges, tokens, tokenStarts, frame } = compiled;
  const library = createLibraryTokenizer(stages);
  const tokenOf = (id: number) => tokens.slice(tokenStarts[id], tokenStarts[id + 1]);
  return {
    encode: createPieceEncoder(library, merges, whole),
    decode: (ids) => library.decoder?.(ids.map(tokenOf)) ?? ids.map(tokenOf).join(' '),
    ...frame,
  };
}

/** Every id's token is looked up by the library. */
function wholeTokenizer(file: TokenizerFile): TextTokenizer {
  const library = createLibrary(file);
  return {
    encode: (text) => (text === '' ? [] : library.encode(text, { add_special_tokens: false }).ids),
    decode: (ids) => (ids.length === 0 ? '' : library.decode([...ids], { clean_up_tokenization_spaces: false })),
    ...frameOf(library, file, library.model.tokens_to_ids),
  };
}

/** The library's own tokenizer of a whole file. Throws as `loadTokenizer` does. */
export function loadLibrary(json: unknown): LibraryTokenizer {
  return createLibrary(readFile(json));
}

function readFile(json: unknown): TokenizerFile {
  const parsed = tokenizerFile.safeParse(json);
  if (!parsed.success) throw new Error(`not a tokenizer.json: ${z.prettifyError(parsed.error)}`);
  return parsed.data;
}

/** Special tokens are hidden from the library: a user who types one must not be able to place it. */
function createLibrary(file: TokenizerFile): LibraryTokenizer {
  return createLibraryTokenizer({ ...file, added_tokens: file.added_tokens.filter((token) => !token.special) });
}

/** Sends a token that no vocabulary holds through the post-processor and looks what comes before and after it. */
function frameOf(library: LibraryTokenizer, file: TokenizerFile, idOf: ReadonlyMap<string, number>): Frame {
  const marker = '\0text\0';
  const tokens = library.post_processor?.([marker], null, true).tokens ?? [marker];
  const at = tokens.indexOf(marker);
  if (at < 0) throw new Error('tokenizer.json: the post-processor drops the text');
  const special = new Map(file.added_tokens.map((token) => [token.content, token.id]));
  const toId = (token: string): number => {
    const id = special.get(token) ?? idOf.get(token);
    if (id === undefined) throw new Error(`tokenizer.json: the post-processor adds ${token}, which has no id`);
    return id;
  };
  return {
    prefix: tokens.slice(0, at).map(toId),
    suffix: tokens.slice(at + 1).map(toId),
    padId: padIdOf(file),
    vocabSize: 1 + highestId(file),
  };
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
