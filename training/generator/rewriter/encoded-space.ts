import type { GenerationTask } from '../contract.ts';
import { EDIT_KINDS, type EditSpace } from './edit-space.ts';
import { RewriterError } from './errors.ts';
import { conditionRows, editRow, textRows } from './feature-rows.ts';
import { priorLogits } from './prior.ts';

/** Features by number; each is a list of rows of the embedding table. A feature's vector is the rows' sum / √rows. */
export class FeatureList {
  readonly #buckets: number;
  readonly #rows: (readonly number[])[] = [];
  readonly #texts = new Map<string, number>();
  readonly #edits = new Map<number, number>();

  constructor(buckets: number) {
    this.#buckets = buckets;
  }

  get length(): number {
    return this.#rows.length;
  }

  rows(feature: number): readonly number[] {
    return this.#rows[feature] as readonly number[];
  }

  text(text: string): number {
    const known = this.#texts.get(text);
    if (known !== undefined) return known;
    const feature = this.#push(textRows(text, this.#buckets));
    this.#texts.set(text, feature);
    return feature;
  }

  edit(kind: number, rank: number): number {
    const row = editRow(EDIT_KINDS[kind]!, rank);
    const known = this.#edits.get(row);
    if (known !== undefined) return known;
    const feature = this.#push([row]);
    this.#edits.set(row, feature);
    return feature;
  }

  condition(task: GenerationTask): number {
    return this.#push(conditionRows(task));
  }

  #push(rows: readonly number[]): number {
    return this.#rows.push(rows) - 1;
  }
}

/** An edit space as numbers. Options of slot s are `first[s]` to before `first[s + 1]` in the arrays by option. */
export interface EncodedSpace {
  readonly slots: number;
  /** By slot: feature of the seed's word; -1 for a decision about the whole text. */
  readonly word: Int32Array;
  /** By slot: features of the nearest words on both sides; -1 where there is none. */
  readonly before: Int32Array;
  readonly after: Int32Array;
  readonly first: Int32Array;
  /** By option. */
  readonly text: Int32Array;
  readonly edit: Int32Array;
  readonly kind: Uint8Array;
  readonly logShare: Float32Array;
  readonly prior: Float32Array;
  readonly condition: number;
}

export function encodeSpace({ task, slots }: EditSpace, features: FeatureList): EncodedSpace {
  const first = new Int32Array(slots.length + 1);
  for (const [s, { options }] of slots.entries()) {
    if (options.length === 0) throw new RewriterError(`slot ${s} of seed ${task.seed.id} has no option`);
    if (options.some(({ share }) => !(share > 0 && share <= 1))) {
      throw new RewriterError(`slot ${s} of seed ${task.seed.id} has an option whose share is not in (0, 1]`);
    }
    first[s + 1] = first[s]! + options.length;
  }
  const options = slots.flatMap((slot) => slot.options);
  const kind = Uint8Array.from(options, (option) => EDIT_KINDS.indexOf(option.kind));
  const word = Int32Array.from(slots, (slot) => (slot.word === '' ? -1 : features.text(slot.word)));
  return {
    slots: slots.length,
    word,
    before: neighbours(word, 1),
    after: neighbours(word, -1),
    first,
    text: Int32Array.from(options, (option) => features.text(option.text)),
    edit: Int32Array.from(options, (option, o) => features.edit(kind[o]!, option.rank)),
    kind,
    logShare: Float32Array.from(options, (option) => Math.log(option.share)),
    prior: Float32Array.from(slots.flatMap((slot) => priorLogits(slot, task))),
    condition: features.condition(task),
  };
}

/** Slots where there is something to decide. */
export function decisionsOf({ slots, first }: EncodedSpace): number {
  let count = 0;
  for (let s = 0; s < slots; s++) if (first[s + 1]! - first[s]! > 1) count++;
  return count;
}

/** Throws when `choices` is not one option per slot of the space. */
export function checkChoices({ slots, first }: EncodedSpace, choices: readonly number[], seed: string): void {
  const fits =
    choices.length === slots &&
    choices.every((choice, s) => Number.isInteger(choice) && choice >= 0 && choice < first[s + 1]! - first[s]!);
  if (!fits) throw new RewriterError(`a candidate of seed ${seed} does not fit the seed's edit space`);
}

/** By slot: the nearest word's feature before it (1) or after it (-1). */
export function neighbours(word: Int32Array, step: 1 | -1): Int32Array {
  const result = new Int32Array(word.length).fill(-1);
  let latest = -1;
  for (let i = 0; i < word.length; i++) {
    const s = step === 1 ? i : word.length - 1 - i;
    if (word[s]! < 0) continue;
    result[s] = latest;
    latest = word[s]!;
  }
  return result;
}
