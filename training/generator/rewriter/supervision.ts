import { wordsOf } from '../../lexicon/words.ts';
import type { GenerationTask } from '../contract.ts';
import type { EditOption, EditSpace, Slot } from './edit-space.ts';
import { priorLogits } from './prior.ts';

/** What a translation by a human says of an edit space. */
export interface Supervision {
  /** One option per slot; the plain one where the translation doesn't tell. */
  readonly choices: readonly number[];
  /** By option: the share of a slot's weight that it should get; all 0 where the translation doesn't tell. */
  readonly targets: Float32Array;
  /** Slots for words of which the translation tells something. */
  readonly told: number;
}

/** Kinds that a translator uses. Of the others a translation says nothing, so they keep what the prior gives them. */
const TRANSLATORS_KINDS: ReadonlySet<EditOption['kind']> = new Set(['keep', 'translate', 'drop']);

/**
 * Finds the options that a human translation has taken: for each word from the left its most probable translation that
 * is left in `target`, or the word itself; a word that the lexicon leaves out is left out unless it stands in `target`.
 * Words without any of these may have been put in a way that the lexicon doesn't know, and teach nothing.
 */
export function supervise({ task, slots }: EditSpace, target: string): Supervision {
  const left = new Map<string, number>();
  for (const word of wordsOf(target)) left.set(word, (left.get(word) ?? 0) + 1);
  const choices: number[] = [];
  const targets: number[] = [];
  let told = 0;
  for (const slot of slots) {
    const prior = priorProbabilities(slot, task);
    const choice = slot.word === '' ? -1 : chosenOption(slot, left);
    choices.push(Math.max(0, choice));
    if (slot.word === '') targets.push(...prior);
    else if (choice < 0) targets.push(...slot.options.map(() => 0));
    else {
      if (slot.options.length > 1) told++;
      targets.push(...reweighted(slot.options, prior, choice));
    }
  }
  return { choices, targets: Float32Array.from(targets), told };
}

/**
 * A candidate's choices with every translator's decision made as the translation `target` made it. Frames, disguises and
 * words of which the translation doesn't tell stay, so that it is no verdict on what translators don't do. `undefined`
 * where nothing changes.
 */
export function asTranslated(space: EditSpace, target: string, choices: readonly number[]): number[] | undefined {
  const { choices: human, targets } = supervise(space, target);
  let first = 0;
  const changed = space.slots.map(({ word, options }, slot) => {
    const own = targets.subarray(first, first + options.length);
    first += options.length;
    const tells = word !== '' && own.some((weight) => weight > 0);
    const choice = choices[slot]!;
    return tells && TRANSLATORS_KINDS.has(options[choice]!.kind) ? human[slot]! : choice;
  });
  return changed.some((choice, slot) => choice !== choices[slot]) ? changed : undefined;
}

/** -1 for none. Takes the words of the option out of `left`. */
function chosenOption({ word, options }: Slot, left: Map<string, number>): number {
  const translated = options.findIndex(({ kind, text }) => kind === 'translate' && take(left, text));
  if (translated >= 0) return translated;
  const kept = options.findIndex(({ kind }) => kind === 'keep' || kind === 'keep-foreign');
  if (kept >= 0 && take(left, word)) return kept;
  return options[0]?.kind === 'drop' ? 0 : -1;
}

/** Whether all words of a text are there; if so they are taken out. */
function take(left: Map<string, number>, text: string): boolean {
  const words = wordsOf(text);
  if (words.length === 0) return false;
  const needed = new Map<string, number>();
  for (const word of words) needed.set(word, (needed.get(word) ?? 0) + 1);
  for (const [word, count] of needed) if ((left.get(word) ?? 0) < count) return false;
  for (const [word, count] of needed) left.set(word, left.get(word)! - count);
  return true;
}

/** The chosen option gets what all of a translator's options had together; the rest stays. */
function reweighted(options: readonly EditOption[], prior: readonly number[], choice: number): number[] {
  const isTranslators = (o: number): boolean => o === choice || TRANSLATORS_KINDS.has(options[o]!.kind);
  const together = prior.reduce((sum, p, o) => (isTranslators(o) ? sum + p : sum), 0);
  return prior.map((p, o) => (o === choice ? together : isTranslators(o) ? 0 : p));
}

/** What an untrained policy gives. */
function priorProbabilities(slot: Slot, task: GenerationTask): number[] {
  const prior = priorLogits(slot, task);
  const weights = slot.options.map(({ share }, o) => share * Math.exp(prior[o]!));
  const total = weights.reduce((a, b) => a + b, 0);
  return weights.map((weight) => weight / total);
}
