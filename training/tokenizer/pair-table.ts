/**
 * Pairs of token ids with their count and the words they occur in. An open-addressing table over typed arrays: a
 * `Map` with keys beyond 31 bits boxes every key, and merging 24,000 pairs looks up hundreds of millions.
 */
export class PairTable {
  /** `left << 16 | right` by slot. */
  readonly keys: number[] = [];
  /** Weighted occurrences by slot. */
  readonly counts: number[] = [];
  /** Words that held the pair when it was counted, by slot; stale and repeated entries are possible. */
  readonly words: number[][] = [];
  /** Slot + 1 by bucket; 0 is empty. */
  #buckets = new Int32Array(1 << 16);

  /** Adds `count` (negative takes away) for one occurrence in `word` and returns the slot. */
  add(left: number, right: number, count: number, word: number): number {
    const slot = this.#slot((left << 16) | right);
    this.counts[slot] = (this.counts[slot] as number) + count;
    const words = this.words[slot] as number[];
    if (count > 0 && words[words.length - 1] !== word) words.push(word);
    return slot;
  }

  #slot(key: number): number {
    const mask = this.#buckets.length - 1;
    let bucket = hash(key) & mask;
    for (;;) {
      const slot = (this.#buckets[bucket] as number) - 1;
      if (slot < 0) break;
      if (this.keys[slot] === key) return slot;
      bucket = (bucket + 1) & mask;
    }
    const slot = this.keys.push(key) - 1;
    this.counts.push(0);
    this.words.push([]);
    this.#buckets[bucket] = slot + 1;
    if (this.keys.length * 2 > this.#buckets.length) this.#grow();
    return slot;
  }

  #grow(): void {
    this.#buckets = new Int32Array(this.#buckets.length * 4);
    const mask = this.#buckets.length - 1;
    for (let slot = 0; slot < this.keys.length; slot += 1) {
      let bucket = hash(this.keys[slot] as number) & mask;
      while (this.#buckets[bucket] !== 0) bucket = (bucket + 1) & mask;
      this.#buckets[bucket] = slot + 1;
    }
  }
}

function hash(key: number): number {
  const mixed = Math.imul(key ^ (key >>> 15), 0x2c1b3c6d);
  return mixed ^ (mixed >>> 13);
}
