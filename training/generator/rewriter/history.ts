import { EDIT_KINDS } from './edit-space.ts';
import type { EncodedSpace } from './encoded-space.ts';

/** Kinds whose share among the words so far the network sees; the rest are disguises. */
const COUNTED: readonly number[] = EDIT_KINDS.map((name) => {
  if (name === 'keep' || name === 'keep-foreign') return 0;
  if (name === 'translate') return 1;
  if (name === 'substitute') return 2;
  return name === 'drop' ? 3 : 4;
});
const GROUPS = 5;

/** Width of what `writeCounts` writes. */
export const COUNTS = GROUPS + 2;

/** What the decisions so far tell the next one; teacher forcing and sampling go through the same code. */
export class History {
  /** Features of the edits of the last word and of the one before it; -1 at the beginning. */
  last = -1;
  lastButOne = -1;
  /** Features of the edits about the whole text. */
  readonly whole: number[] = [];
  #words = 0;
  readonly #groups = new Float64Array(GROUPS);

  /** Takes in option number `option` of the space, chosen at slot `slot`. */
  advance(space: EncodedSpace, slot: number, option: number): void {
    const edit = space.edit[option]!;
    if (space.word[slot]! < 0) {
      this.whole.push(edit);
      return;
    }
    this.lastButOne = this.last;
    this.last = edit;
    this.#groups[COUNTED[space.kind[option]!]!]!++;
    this.#words++;
  }

  /** Shares of the groups among the words so far, then how far the text is and how long. */
  writeCounts(out: Float32Array, at: number, space: EncodedSpace, slot: number): void {
    for (let g = 0; g < GROUPS; g++) out[at + g] = this.#words > 0 ? this.#groups[g]! / this.#words : 0;
    out[at + GROUPS] = slot / space.slots;
    out[at + GROUPS + 1] = Math.log(1 + space.slots) / 4;
  }
}
