import { z } from 'zod';
import { createBpeMerger, type MergeTables, tabulateMerges } from './bpe-merger.ts';
import type { LibraryTokenizer, PreTokenizer } from './library.ts';

/** Pieces kept per generation, each at most `LONGEST_CACHED` code units: under about 20 MB together. */
const CACHED_PIECES = 40_000;
const LONGEST_CACHED = 32;
/** In code units. Longer pieces, which no tokenizer of ours makes, go to the library. */
const LONGEST_MERGED = 128;

type Merges = readonly (string | readonly [string, string])[];

function isMerge(merge: unknown): boolean {
  if (typeof merge === 'string') return true;
  return Array.isArray(merge) && merge.length === 2 && merge.every((part) => typeof part === 'string');
}

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
    // By hand: a schema of each merge took longer than making the tables of them.
    merges: z.custom<Merges>((merges) => Array.isArray(merges) && merges.every(isMerge), 'merges'),
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
 * The merges of a `tokenizer.json` whose pieces can be encoded one by one. Undefined for tokenizers of another kind.
 * `idOf`: its vocabulary.
 */
export function tabulatePieces(file: unknown, idOf: ReadonlyMap<string, number>): MergeTables | undefined {
  const config = independentPieces.safeParse(file);
  return config.success ? tabulateMerges(config.data.model.merges, idOf) : undefined;
}

/**
 * The library's ids, faster: the same split, then our merging, with a cache for pieces that repeat. Two generations
 * bound the cache: when the young one is full it becomes the old one, and what is still used moves over.
 *
 * Of `library` only the stages around the model are used; `whole` gives one with its vocabulary, for a piece too long
 * for our merging.
 */
export function createPieceEncoder(
  library: LibraryTokenizer,
  tables: MergeTables,
  whole: () => LibraryTokenizer,
): (text: string) => number[] {
  const split = library.pre_tokenizer?.tokenizers?.[0] as PreTokenizer;
  const pattern = split.pattern as RegExp;
  const merger = createBpeMerger(tables);
  let complete: LibraryTokenizer | undefined;
  const encodeLong = (piece: string): number[] => {
    complete ??= whole();
    const { model } = complete;
    const bytes = library.pre_tokenizer?.tokenizers?.[1]?.pre_tokenize([piece]) ?? [];
    return model.encode(bytes).map((token) => model.tokens_to_ids.get(token) as number);
  };
  let young = new Map<string, number[]>();
  let old = new Map<string, number[]>();
  const encodePiece = (piece: string): number[] => {
    const found = young.get(piece);
    if (found !== undefined) return found;
    const ids = old.get(piece) ?? (piece.length > LONGEST_MERGED ? encodeLong(piece) : merger.encode(piece));
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
