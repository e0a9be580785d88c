import { Tokenizer } from '@huggingface/tokenizers';

/**
 * The members of `@huggingface/tokenizers` that we use. Its own declarations import without file extensions, which
 * `nodenext` resolves to `any`.
 */
export interface LibraryTokenizer {
  readonly normalizer: ((text: string) => string) | null;
  readonly pre_tokenizer: PreTokenizer | null;
  readonly post_processor: ((tokens: string[], pair: null, special: boolean) => { tokens: string[] }) | null;
  readonly model: {
    readonly tokens_to_ids: ReadonlyMap<string, number>;
    readonly unk_token_id: number | undefined;
    encode(tokens: string[]): string[];
  };
  readonly decoder: ((tokens: string[]) => string) | null;
  encode(text: string, options: { add_special_tokens: boolean }): { ids: number[] };
  decode(ids: number[], options: { clean_up_tokenization_spaces: boolean }): string;
}

export interface PreTokenizer {
  pre_tokenize(text: string | string[]): string[];
  /** Of a `Split`. */
  readonly pattern?: RegExp | null;
  /** Of a `Sequence`. */
  readonly tokenizers?: readonly (PreTokenizer | null)[];
}

/** Takes a `tokenizer.json` whose five top-level parts exist, as the library demands. */
export function createLibraryTokenizer(json: object): LibraryTokenizer {
  return new Tokenizer(json, {}) as LibraryTokenizer;
}
