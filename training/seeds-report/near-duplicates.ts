import { comparable } from './words.ts';

export interface Match {
  /** Number of the text in the index. */
  readonly text: number;
  /** Jaccard index of the two sets of shingles, `threshold` to 1; 1 for texts that are equal once compared. */
  readonly similarity: number;
}

const SHINGLE = 5;
const FREQUENCY_SLOTS = 1 << 22;
/** A product with the threshold may come out a hair above the whole number that it is. */
const ROUNDING = 1e-9;

/**
 * Finds texts that share most of their shingles, which are the 5-character pieces of `comparable` text.
 *
 * Exact, but for 32-bit hashes, without comparing every two texts. Let all shingles be ordered from rare to common.
 * Two sets of a and b shingles with a Jaccard index of at least t share at least t * max(a, b) of them, so the first
 * a - ceil(t a) + 1 of one and the first b - ceil(t b) + 1 of the other share one (Bayardo, Ma and Srikant, WWW 2007).
 * Only those, the rarest, are indexed and looked up.
 */
export class NearDuplicateIndex {
  readonly #threshold: number;
  readonly #sets: readonly Uint32Array[];
  /** How often the shingles of a slot occur: an upper bound, as slots are shared. 0: in no text at all. */
  readonly #frequency = new Uint32Array(FREQUENCY_SLOTS);
  /** Texts by each shingle of their prefix. */
  readonly #texts = new Map<number, number[]>();

  constructor(texts: readonly string[], threshold: number) {
    this.#threshold = threshold;
    this.#sets = texts.map(shingles);
    for (const set of this.#sets) for (const shingle of set) this.#frequency[shingle % FREQUENCY_SLOTS]! += 1;
    for (const [text, set] of this.#sets.entries()) {
      for (const shingle of this.#prefix(set)) {
        const texts = this.#texts.get(shingle);
        if (texts) texts.push(text);
        else this.#texts.set(shingle, [text]);
      }
    }
  }

  /** Indexed texts at least as similar to `text` as the threshold, in index order; `text` itself if it is indexed. */
  find(text: string): Match[] {
    return this.#matches(shingles(text), () => true);
  }

  /** Every two indexed texts that are similar, the earlier one as `first`. */
  *pairs(): Generator<{ first: number; second: number; similarity: number }> {
    for (const [second, set] of this.#sets.entries()) {
      for (const { text, similarity } of this.#matches(set, (candidate) => candidate < second)) {
        yield { first: text, second, similarity };
      }
    }
  }

  #matches(set: Uint32Array, wanted: (text: number) => boolean): Match[] {
    const similarInSize = (text: number) => {
      const { length } = this.#sets[text] as Uint32Array;
      return Math.min(length, set.length) >= this.#threshold * Math.max(length, set.length) - ROUNDING;
    };
    const candidates = new Set<number>();
    for (const shingle of this.#prefix(set)) {
      for (const text of this.#texts.get(shingle) ?? []) {
        if (wanted(text) && similarInSize(text)) candidates.add(text);
      }
    }
    return [...candidates]
      .sort((a, b) => a - b)
      .map((text) => ({ text, similarity: jaccard(set, this.#sets[text] as Uint32Array) }))
      .filter(({ similarity }) => similarity >= this.#threshold);
  }

  /** The rarest shingles of a set, as many as two similar sets must share one of, but for those that no text has. */
  #prefix(set: Uint32Array): number[] {
    const frequency = (shingle: number) => this.#frequency[shingle % FREQUENCY_SLOTS] as number;
    const known = set.filter((shingle) => frequency(shingle) > 0);
    const unknown = set.length - known.length;
    const length = set.length - Math.ceil(this.#threshold * set.length - ROUNDING) + 1 - unknown;
    if (length <= 0) return [];
    // Frequency and shingle in one number: sorting numbers without a comparator is many times faster.
    const order = Float64Array.from(known, (shingle) => frequency(shingle) * 2 ** 32 + shingle).sort();
    return Array.from(order.subarray(0, length), (rank) => rank % 2 ** 32);
  }
}

/** Hashes of the distinct shingles of a text, ascending; of all of it where it is shorter than one. */
export function shingles(text: string): Uint32Array {
  const compared = comparable(text);
  const count = Math.max(1, compared.length - SHINGLE + 1);
  const hashes = new Uint32Array(count);
  for (let start = 0; start < count; start++) {
    let hash = 0x811c9dc5;
    const end = Math.min(compared.length, start + SHINGLE);
    for (let i = start; i < end; i++) hash = Math.imul(hash ^ compared.charCodeAt(i), 0x01000193);
    hashes[start] = hash ^ (hash >>> 15);
  }
  hashes.sort();
  return hashes.filter((hash, i) => i === 0 || hash !== hashes[i - 1]);
}

/** Both ascending and distinct. */
function jaccard(a: Uint32Array, b: Uint32Array): number {
  let shared = 0;
  for (let i = 0, j = 0; i < a.length && j < b.length; ) {
    const [left, right] = [a[i] as number, b[j] as number];
    if (left === right) shared += 1;
    if (left <= right) i += 1;
    if (right <= left) j += 1;
  }
  return shared / (a.length + b.length - shared);
}
