import { PairQueue } from './pair-queue.ts';
import { PairTable } from './pair-table.ts';
import { BYTE_CHARACTERS, FIRST_BYTE_ID, FIRST_MERGE_ID, SPECIAL_TOKENS } from './template.ts';

export interface BpeOptions {
  /** Special tokens, the 256 bytes and the merges together; at most 65,536. */
  readonly vocabSize: number;
  /** A pair rarer than this is not merged. */
  readonly minPairCount: number;
  readonly onProgress?: (merges: number) => void;
}

/** Words as runs of token ids in one buffer; a merge shortens a word in place. */
interface Corpus {
  readonly symbols: Uint16Array;
  readonly starts: Uint32Array;
  readonly lengths: Uint16Array;
  readonly counts: Float64Array;
}

/**
 * Byte-pair encoding (Sennrich et al., arXiv 1508.07909): the most frequent pair of neighbouring tokens becomes a
 * token, until the vocabulary is full. Counts are kept up to date, so a merge touches only the words that hold it.
 * Returns the merged pairs in byte characters, best first. The same words in any order give the same merges.
 */
export function learnMerges(words: ReadonlyMap<string, number>, options: BpeOptions): [string, string][] {
  if (options.vocabSize > 0x10000) throw new RangeError('vocabSize is at most 65536');
  const corpus = toCorpus(words);
  const table = countPairs(corpus);
  const queue = new PairQueue(table);
  for (let slot = 0; slot < table.keys.length; slot += 1) queue.push(slot);

  const tokens: string[] = [...SPECIAL_TOKENS, ...BYTE_CHARACTERS];
  const ids = new Map(tokens.map((token, id) => [token, id]));
  const merges: [string, string][] = [];
  let next = FIRST_MERGE_ID;
  while (next < options.vocabSize) {
    const slot = queue.pop(options.minPairCount);
    if (slot === undefined) break;
    const key = table.keys[slot] as number;
    const [left, right] = [key >>> 16, key & 0xffff];
    const pair: [string, string] = [tokens[left] as string, tokens[right] as string];
    // Two pairs can spell one token (a + bc, ab + c); it keeps the id it got first.
    const id = ids.get(pair[0] + pair[1]) ?? next;
    // Text that spells a special token must not become one.
    if (id < FIRST_BYTE_ID) continue;
    if (id === next) {
      tokens[id] = pair[0] + pair[1];
      ids.set(tokens[id], id);
      next += 1;
    }
    merges.push(pair);
    for (const changed of mergePair(corpus, table, slot, id)) queue.push(changed);
    options.onProgress?.(merges.length);
  }
  return merges;
}

function toCorpus(words: ReadonlyMap<string, number>): Corpus {
  const encoder = new TextEncoder();
  const starts = new Uint32Array(words.size);
  const lengths = new Uint16Array(words.size);
  const counts = new Float64Array(words.size);
  let symbols = new Uint16Array(1 << 20);
  let end = 0;
  let word = 0;
  for (const [text, count] of words) {
    const bytes = encoder.encode(text);
    if (end + bytes.length > symbols.length) {
      const grown = new Uint16Array(symbols.length * 2);
      grown.set(symbols);
      symbols = grown;
    }
    starts[word] = end;
    lengths[word] = bytes.length;
    counts[word] = count;
    for (const byte of bytes) symbols[end++] = FIRST_BYTE_ID + byte;
    word += 1;
  }
  return { symbols, starts, lengths, counts };
}

function countPairs({ symbols, starts, lengths, counts }: Corpus): PairTable {
  const table = new PairTable();
  for (let word = 0; word < starts.length; word += 1) {
    const start = starts[word] as number;
    const end = start + (lengths[word] as number);
    for (let i = start + 1; i < end; i += 1) {
      table.add(symbols[i - 1] as number, symbols[i] as number, counts[word] as number, word);
    }
  }
  return table;
}

/** Replaces the pair of `slot` by token `id` in every word and returns the slots whose count grew. */
function mergePair(corpus: Corpus, table: PairTable, slot: number, id: number): Set<number> {
  const { symbols, starts, lengths, counts } = corpus;
  const key = table.keys[slot] as number;
  const [left, right] = [key >>> 16, key & 0xffff];
  const grown = new Set<number>();
  for (const word of table.words[slot] as number[]) {
    const start = starts[word] as number;
    const end = start + (lengths[word] as number);
    const count = counts[word] as number;
    let to = start;
    for (let from = start; from < end; ) {
      if (symbols[from] !== left || from + 1 >= end || symbols[from + 1] !== right) {
        symbols[to++] = symbols[from++] as number;
        continue;
      }
      if (to > start) {
        const before = symbols[to - 1] as number;
        table.add(before, left, -count, word);
        grown.add(table.add(before, id, count, word));
      }
      if (from + 2 < end) {
        const after = symbols[from + 2] as number;
        table.add(right, after, -count, word);
        grown.add(table.add(id, after, count, word));
      }
      symbols[to++] = id;
      from += 2;
    }
    lengths[word] = to - start;
  }
  table.counts[slot] = 0;
  table.words[slot] = [];
  grown.delete(slot);
  return grown;
}
