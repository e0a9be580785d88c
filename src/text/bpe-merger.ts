/**
 * Byte-pair merging on ids. The library merges strings through a heap and builds a JSON string for every look-up:
 * 0.6 MB/s on mixed text, and Chinese or Thai, whose pieces seldom repeat, gain little from a cache. Ids are the same,
 * since the vocabulary maps tokens to ids one to one; tests compare the two.
 */
export interface BpeMerger {
  /** Ids of one piece. The cost is quadratic in its length, so long pieces belong to the library. */
  encode(piece: string): number[];
}

/** All that merging needs, in memory that can be given to another thread. */
export interface MergeTables {
  /** [256] ids of the single bytes. */
  readonly bytes: Uint32Array<ArrayBuffer>;
  /** Of a `MergeTable`. */
  readonly entries: Int32Array<ArrayBuffer>;
}

/** `idOf` gives the id of a token in byte characters. Undefined when the vocabulary lacks a byte or a merged token. */
export function tabulateMerges(
  merges: readonly (string | readonly string[])[],
  idOf: ReadonlyMap<string, number>,
): MergeTables | undefined {
  const bytes = byteIds(idOf);
  const entries = emptyMergeTable(merges.length);
  const table = new MergeTable(entries);
  for (const [rank, merge] of merges.entries()) {
    const [left, right] = typeof merge === 'string' ? merge.split(' ') : merge;
    const [leftId, rightId, id] = [idOf.get(left ?? ''), idOf.get(right ?? ''), idOf.get(`${left}${right}`)];
    if (leftId === undefined || rightId === undefined || id === undefined) return undefined;
    table.set(leftId, rightId, rank, id);
  }
  return bytes && { bytes, entries };
}

export function createBpeMerger({ bytes, entries }: MergeTables): BpeMerger {
  const table = new MergeTable(entries);
  const encoder = new TextEncoder();
  let utf8 = new Uint8Array(256);
  let scratch = new Int32Array(512);
  return {
    encode(piece) {
      if (piece.length * 3 > utf8.length) {
        utf8 = new Uint8Array(piece.length * 3);
        scratch = new Int32Array(utf8.length * 2);
      }
      const { written } = encoder.encodeInto(piece, utf8);
      const ids = scratch.subarray(0, written);
      for (let i = 0; i < written; i += 1) ids[i] = bytes[utf8[i] as number] as number;
      return Array.from(ids.subarray(0, mergeAll(ids, scratch.subarray(written), table)));
    },
  };
}

/**
 * Applies the best merge, the leftmost of equals, until none is left. Works in place and returns how many ids remain.
 * `entries` is scratch space: the table's entry for each pair of neighbours, or -1.
 */
function mergeAll(ids: Int32Array, entries: Int32Array, table: MergeTable): number {
  let pairs = ids.length - 1;
  for (let i = 0; i < pairs; i += 1) entries[i] = table.find(ids[i] as number, ids[i + 1] as number);
  for (;;) {
    let at = -1;
    let best = Number.MAX_SAFE_INTEGER;
    for (let i = 0; i < pairs; i += 1) {
      const entry = entries[i] as number;
      if (entry >= 0 && table.rank(entry) < best) {
        best = table.rank(entry);
        at = i;
      }
    }
    if (at < 0) return pairs + 1;
    ids[at] = table.merged(entries[at] as number);
    for (let i = at + 1; i < pairs; i += 1) {
      ids[i] = ids[i + 1] as number;
      entries[i - 1] = entries[i] as number;
    }
    pairs -= 1;
    if (at > 0) entries[at - 1] = table.find(ids[at - 1] as number, ids[at] as number);
    if (at < pairs) entries[at] = table.find(ids[at] as number, ids[at + 1] as number);
  }
}

/** GPT-2's byte characters: printable Latin-1 stands for itself, the other 68 bytes follow from U+0100. */
function byteIds(idOf: ReadonlyMap<string, number>): Uint32Array<ArrayBuffer> | undefined {
  const ids = new Uint32Array(256);
  let next = 0x100;
  for (let byte = 0; byte < 256; byte += 1) {
    const printable =
      (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || (byte >= 0xae && byte <= 0xff);
    const id = idOf.get(String.fromCharCode(printable ? byte : next++));
    if (id === undefined) return undefined;
    ids[byte] = id;
  }
  return ids;
}

function emptyMergeTable(size: number): Int32Array<ArrayBuffer> {
  return new Int32Array(4 * 2 ** Math.ceil(Math.log2(size * 2 + 2))).fill(-1);
}

/** Open addressing from a pair of ids to its rank and product; four 32-bit numbers an entry. */
class MergeTable {
  readonly #entries: Int32Array;
  readonly #mask: number;

  constructor(entries: Int32Array) {
    this.#entries = entries;
    this.#mask = entries.length / 4 - 1;
  }

  set(left: number, right: number, rank: number, merged: number): void {
    this.#entries.set([left, right, rank, merged], this.#probe(left, right));
  }

  /** The entry's position, or -1. */
  find(left: number, right: number): number {
    const at = this.#probe(left, right);
    return this.#entries[at] === -1 ? -1 : at;
  }

  rank(at: number): number {
    return this.#entries[at + 2] as number;
  }

  merged(at: number): number {
    return this.#entries[at + 3] as number;
  }

  #probe(left: number, right: number): number {
    const mixed = Math.imul(left, 0x9e3779b1) ^ Math.imul(right, 0x85ebca6b);
    let bucket = (mixed ^ (mixed >>> 15)) & this.#mask;
    for (;;) {
      const at = bucket * 4;
      const key = this.#entries[at];
      if (key === -1 || (key === left && this.#entries[at + 1] === right)) return at;
      bucket = (bucket + 1) & this.#mask;
    }
  }
}
