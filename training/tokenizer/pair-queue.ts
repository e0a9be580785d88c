import type { PairTable } from './pair-table.ts';

/**
 * A binary heap of slots of a `PairTable`: highest count first, then the lowest pair, so that the order does not
 * depend on how the table grew. Counts change while slots wait; an entry whose count is out of date is put back.
 */
export class PairQueue {
  readonly #table: PairTable;
  readonly #slots: number[] = [];
  readonly #counts: number[] = [];

  constructor(table: PairTable) {
    this.#table = table;
  }

  push(slot: number): void {
    this.#slots.push(slot);
    this.#counts.push(this.#table.counts[slot] as number);
    let at = this.#slots.length - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!this.#before(at, parent)) break;
      this.#swap(at, parent);
      at = parent;
    }
  }

  /** The slot with the highest current count, or undefined when none is left with at least `minimum`. */
  pop(minimum: number): number | undefined {
    while (this.#slots.length > 0) {
      const slot = this.#slots[0] as number;
      const seen = this.#counts[0] as number;
      this.#removeFirst();
      const count = this.#table.counts[slot] as number;
      if (count === seen) return count >= minimum ? slot : undefined;
      if (count >= minimum && count < seen) this.push(slot);
    }
    return undefined;
  }

  #removeFirst(): void {
    const slot = this.#slots.pop() as number;
    const count = this.#counts.pop() as number;
    const size = this.#slots.length;
    if (size === 0) return;
    this.#slots[0] = slot;
    this.#counts[0] = count;
    let at = 0;
    for (;;) {
      let best = at;
      if (2 * at + 1 < size && this.#before(2 * at + 1, best)) best = 2 * at + 1;
      if (2 * at + 2 < size && this.#before(2 * at + 2, best)) best = 2 * at + 2;
      if (best === at) return;
      this.#swap(at, best);
      at = best;
    }
  }

  #before(a: number, b: number): boolean {
    const difference = (this.#counts[a] as number) - (this.#counts[b] as number);
    if (difference !== 0) return difference > 0;
    const keys = this.#table.keys;
    return (keys[this.#slots[a] as number] as number) >>> 0 < (keys[this.#slots[b] as number] as number) >>> 0;
  }

  #swap(a: number, b: number): void {
    const slot = this.#slots[a] as number;
    const count = this.#counts[a] as number;
    this.#slots[a] = this.#slots[b] as number;
    this.#counts[a] = this.#counts[b] as number;
    this.#slots[b] = slot;
    this.#counts[b] = count;
  }
}
