import { z } from 'zod';
import { createBpeMerger } from './bpe-merger.ts';
import type { LibraryTokenizer, PreTokenizer } from './library.ts';

/** Pieces kept per generation, each at most `LONGEST_CACHED` code units: under about 20 MB together. */
const CACHED_PIECES = 40_000;
const LONGEST_CACHED = 32;
/** In code units. Longer pieces, which no tokenizer of ours makes, go to the library. */
const LONGEST_MERGED = 128;

/** The tokenizers whose pieces can be encoded one by one: nothing after the first split looks beyond a piece. */
const independentPieces = z.object({
  added_tokens: z.array(z.object({ special: z.literal(true) })).optional(),
  normalizer: z.unknown(),
  model: z.object({
    type: z.literal('BPE'),
    fuse_unk: z.literal(false).optional(),
    byte_fallback: z.literal(false).optional(),
    ignore_merges: z.literal(false).optional(),
    continuing_subword_prefix: z.literal('').nullish(),
    end_of_word_suffix: z.literal('').nullish(),
    merges: z.array(z.union([z.string(), z.tuple([z.string(), z.string()])])),
  }),
  pre_tokenizer: z.object({
    type: z.literal('Sequence'),
    pretokenizers: z.tuple([
      z.object({ type: z.literal('Split'), behavior: z.literal('Isolated'), invert: z.literal(false).optional() }),
      z.object({ type: z.literal('ByteLevel'), add_prefix_space: z.literal(false), use_regex: z.literal(false) }),
    ]),
  }),
});

/**
 * The library's ids, faster: the same split, then our merging, with a cache for pieces that repeat. Undefined for
 * tokenizers of another kind. Two generations bound the cache: when the young one is full it becomes the old one, and
 * what is still used moves over.
 */
export function createPieceEncoder(library: LibraryTokenizer, file: unknown): ((text: string) => number[]) | undefined {
  const config = independentPieces.safeParse(file);
  const split = library.pre_tokenizer?.tokenizers?.[0];
  if (!config.success || !split?.pattern) return undefined;
  const { pattern } = split;
  const merger = createBpeMerger(config.data.model.merges, library.model.tokens_to_ids);
  if (!merger) return undefined;

  let young = new Map<string, number[]>();
  let old = new Map<string, number[]>();
  const encodePiece = (piece: string): number[] => {
    const found = young.get(piece);
    if (found !== undefined) return found;
    const ids = old.get(piece) ?? (piece.length > LONGEST_MERGED ? encodeLong(library, piece) : merger.encode(piece));
    if (piece.length > LONGEST_CACHED) return ids;
    if (young.size >= CACHED_PIECES) {
      old = young;
      young = new Map();
    }
    young.set(detach(piece), ids);
    return ids;
  };

  return (text) => {
    if (text === '') return [];
    const normalized = library.normalizer ? library.normalizer(text) : text;
    const ids: number[] = [];
    for (const piece of splitPieces(normalized, pattern, split)) for (const id of encodePiece(piece)) ids.push(id);
    return ids;
  };
}

function encodeLong(library: LibraryTokenizer, piece: string): number[] {
  const bytes = library.pre_tokenizer?.tokenizers?.[1]?.pre_tokenize([piece]) ?? [];
  return library.model.encode(bytes).map((token) => library.model.tokens_to_ids.get(token) as number);
}

/** `match` is several times faster than the library's `matchAll`, and equal to it when the matches leave no gap. */
export function splitPieces(text: string, pattern: RegExp, split: PreTokenizer): string[] {
  const pieces: string[] = text.match(pattern) ?? [];
  let length = 0;
  for (const piece of pieces) length += piece.length;
  return length === text.length && !pieces.includes('') ? pieces : split.pre_tokenize(text);
}

/** A copy: a slice would keep the whole text it was cut from alive for as long as it is cached. */
export function detach(piece: string): string {
  return piece.length < 13 ? piece : Array.from(piece).join('');
}
