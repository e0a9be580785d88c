import type { Origin, SampleGroup } from './sampling.ts';

/** Tokenised rows in flat arrays; a row is a number. */
export interface Corpus {
  /** Token ids of all rows one after another, special tokens included. */
  readonly ids: Uint16Array;
  /** [rows + 1], where each row starts. */
  readonly offsets: Int32Array;
  /** Bit c is set where category c holds. */
  readonly categories: Uint16Array;
  /** 0 where the row is unsafe in a category nobody named. */
  readonly known: Uint8Array;
  readonly unsafe: Uint8Array;
  /** What each row's loss counts, 1 for an ordinary one. */
  readonly weights: Float32Array;
  readonly groups: readonly SampleGroup[];
}

export interface CorpusRow {
  readonly ids: ArrayLike<number>;
  readonly unsafe: boolean;
  /** Category numbers; `null` where unknown. */
  readonly categories: readonly number[] | null;
  readonly source: string;
  readonly lang: string;
  /** `written` unless it says otherwise. */
  readonly origin?: Origin;
  /** What its loss counts; 1 unless it says otherwise. */
  readonly weight?: number;
}

export function rowLength(corpus: Corpus, row: number): number {
  return corpus.offsets[row + 1]! - corpus.offsets[row]!;
}

/** Collects rows into flat arrays that grow by doubling. */
export class CorpusBuilder {
  #ids = new Uint16Array(1 << 20);
  #length = 0;
  readonly #offsets: number[] = [0];
  readonly #categories: number[] = [];
  readonly #known: number[] = [];
  readonly #unsafe: number[] = [];
  readonly #weights: number[] = [];
  readonly #groups = new Map<string, Omit<SampleGroup, 'rows'> & { rows: number[] }>();

  add({ ids, unsafe, categories, source, lang, origin = 'written', weight = 1 }: CorpusRow): void {
    if (this.#length + ids.length > this.#ids.length) {
      const larger = new Uint16Array(Math.max(this.#ids.length * 2, this.#length + ids.length));
      larger.set(this.#ids);
      this.#ids = larger;
    }
    this.#ids.set(ids, this.#length);
    this.#length += ids.length;
    const row = this.#categories.length;
    this.#offsets.push(this.#length);
    this.#categories.push((categories ?? []).reduce((bits, category) => bits | (1 << category), 0));
    this.#known.push(unsafe && categories === null ? 0 : 1);
    this.#unsafe.push(unsafe ? 1 : 0);
    this.#weights.push(weight);
    const key = `${source}\n${lang}\n${unsafe}\n${origin}`;
    const group = this.#groups.get(key) ?? { source, lang, unsafe, origin, rows: [] };
    this.#groups.set(key, group);
    group.rows.push(row);
  }

  build(): Corpus {
    return {
      ids: this.#ids.slice(0, this.#length),
      offsets: Int32Array.from(this.#offsets),
      categories: Uint16Array.from(this.#categories),
      known: Uint8Array.from(this.#known),
      unsafe: Uint8Array.from(this.#unsafe),
      weights: Float32Array.from(this.#weights),
      groups: [...this.#groups.values()].map((group) => ({ ...group, rows: Int32Array.from(group.rows) })),
    };
  }
}
