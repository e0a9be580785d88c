import { type Batchable, type BatchLimits, formBatch } from './batch.ts';

/**
 * The bounded queue in front of the workers.
 *
 *    submit(request)                          a worker is idle
 *         |                                          |
 *    full? -> refused, all or nothing           takeBatch()
 *         |                                          |
 *         v        fair rank, ascending              v
 *    [ r1.0  r2.0  r1.1  r3.0  r1.2  r1.3 ... ] -> head + sequences of like length -> worker
 *         ^                        |
 *    putBack(failed worker)   remove(request): its client left or its deadline passed
 *
 * A request has at most an eighth of the places; its other sequences stand behind them and move up as its own are
 * taken. So a book does not shut out everybody else while it is read.
 *
 * Invariant: `waiting` is sorted by rank; `tokens` is the sum over `waiting`.
 *
 * Rank is start-time fair queueing: a sequence's rank is the virtual time at its arrival plus the tokens of its own
 * request up to and including it. A request of one sentence thus overtakes the hundredth window of a book.
 * Virtual time follows the ranks that were served, so the book's turn comes however many sentences keep arriving.
 */

const REQUEST_SHARE = 8;

export interface QueueLimits {
  readonly maxSequences: number;
  readonly maxTokens: number;
}

export interface Waiting<Owner> extends Batchable {
  readonly ids: Int32Array;
  readonly owner: Owner;
  /** Position in the owner's request. */
  readonly index: number;
  readonly rank: number;
}

export interface SequenceQueue<Owner> {
  /** Sequences and tokens in the queue's places; what stands behind them is not counted. */
  readonly length: number;
  readonly tokens: number;
  /** Whether a request may be added; an empty queue takes any, or one with long sequences would be refused for ever. */
  fits(sequences: readonly Int32Array[]): boolean;
  add(owner: Owner, sequences: readonly Int32Array[]): void;
  takeBatch(limits: BatchLimits): Waiting<Owner>[];
  /** Returns sequences whose worker failed, at their old rank and beyond any bound: they were accepted once. */
  putBack(sequences: readonly Waiting<Owner>[]): void;
  remove(owner: Owner): void;
}

export function createQueue<Owner>(limits: QueueLimits): SequenceQueue<Owner> {
  const placesPerRequest = Math.ceil(limits.maxSequences / REQUEST_SHARE);
  let waiting: Waiting<Owner>[] = [];
  /** By request, the last first. */
  const behind = new Map<Owner, Waiting<Owner>[]>();
  let tokens = 0;
  let virtualTime = 0;

  function insert(entry: Waiting<Owner>): void {
    let low = 0;
    let high = waiting.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((waiting[middle] as Waiting<Owner>).rank <= entry.rank) low = middle + 1;
      else high = middle;
    }
    waiting.splice(low, 0, entry);
    tokens += entry.tokens;
  }

  function moveUp(owner: Owner): void {
    const own = behind.get(owner);
    const next = own?.pop();
    if (next) insert(next);
    if (own?.length === 0) behind.delete(owner);
  }

  function keepOnly(keep: (entry: Waiting<Owner>, index: number) => boolean): void {
    waiting = waiting.filter(keep);
    tokens = waiting.reduce((sum, entry) => sum + entry.tokens, 0);
  }

  return {
    get length() {
      return waiting.length;
    },
    get tokens() {
      return tokens;
    },

    fits(sequences) {
      const places = sequences.slice(0, placesPerRequest);
      const added = places.reduce((sum, ids) => sum + ids.length, 0);
      const room = waiting.length + places.length <= limits.maxSequences && tokens + added <= limits.maxTokens;
      return room || waiting.length === 0;
    },

    add(owner, sequences) {
      let rank = virtualTime;
      const entries = sequences.map((ids, index) => {
        rank += ids.length;
        return { ids, tokens: ids.length, owner, index, rank, failures: 0 };
      });
      for (const entry of entries.splice(0, placesPerRequest)) insert(entry);
      if (entries.length > 0) behind.set(owner, entries.reverse());
    },

    takeBatch(batchLimits) {
      const chosen = formBatch(waiting, batchLimits);
      const batch = chosen.map((index) => waiting[index] as Waiting<Owner>);
      const head = batch[0];
      if (head === undefined) return batch;
      virtualTime = Math.max(virtualTime, head.rank);
      const taken = new Set(chosen);
      keepOnly((_, index) => !taken.has(index));
      for (const entry of batch) moveUp(entry.owner);
      return batch;
    },

    putBack(sequences) {
      for (const entry of sequences) insert({ ...entry, failures: entry.failures + 1 });
    },

    remove(owner) {
      behind.delete(owner);
      keepOnly((entry) => entry.owner !== owner);
    },
  };
}
