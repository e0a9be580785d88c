import type { Reading } from '../../../src/text/views/readings.ts';
import { readText } from '../../../src/text/views/readings.ts';
import { type LanguageModel, meanBits } from '../../lexicon/language-model.ts';
import { wordsOf } from '../../lexicon/words.ts';
import type { GenerationTask } from '../contract.ts';
import { createEditSpace } from './create-edit-space.ts';
import type { EditOption, Slot } from './edit-space.ts';
import { framesOf } from './frames.ts';
import { languageModels } from './language-models.ts';
import { carriesLittle } from './light-words.ts';
import { isMisspellingOf } from './misspelling.ts';

export type Rating = 1 | 2 | 3 | 4 | 5;

export interface Fidelity {
  /** 5: says what the seed says, in good wording; 3: one can make out what is asked; 1: lost, or another language. */
  readonly rating: Rating;
  /** Share of the seed's content words, weighted by how rare they are, that stand in the text or whose translation does. */
  readonly kept: number;
  /** Mean over words of the probability that they are of the wanted language, against its rivals. */
  readonly language: number;
  /** From 0 to 1: how usual the words are one after another in the wanted language. */
  readonly fluency: number;
}

/**
 * Least squares on the ratings of calibration.jsonl with an even number; docs/edit-space.md has the figures on the others.
 * How fluent a text is says nothing there beyond the other two.
 */
export const RATING_WEIGHTS = { constant: -0.206, kept: 4.315, language: 0.46, fluency: 0 };
/** The one between 2 and 3 decides what is trained on; it balances both kinds of mistake on the same half. */
const CUTS = [1.5, 2.7, 3.5, 4.5];

/** Rates a rewriting of a task's seed without a language model of any size: by lexicon, letters and pairs of words. */
export function rateFidelity(task: GenerationTask, text: string): Fidelity {
  const readings = readText(withoutFrame(task, text)).filter(({ view }) => UNCOVERING.has(view));
  const clearest = (readings.at(-1) as Reading).text.text;
  const words = wordsOf(clearest);
  const models = languageModels(task.lang, task.seed.lang);
  const measures = {
    kept: shareKept(task, new Set(readings.flatMap(({ text }) => wordsOf(text.text)))),
    language: shareOfLanguage(words, models.wanted, models.rivals),
    fluency: fluencyOf(words, models.wanted),
  };
  return { rating: toRating(measures), ...measures };
}

const UNCOVERING: ReadonlySet<string> = new Set(['normalized', 'spaced', 'confusables', 'leetspeak']);

export function toRating({ kept, language, fluency }: Omit<Fidelity, 'rating'>): Rating {
  const { constant, ...weights } = RATING_WEIGHTS;
  const value = constant + weights.kept * kept + weights.language * language + weights.fluency * fluency;
  return (1 + CUTS.filter((cut) => value >= cut).length) as Rating;
}

/** A frame says nothing about the seed. */
function withoutFrame({ seed, lang }: GenerationTask, text: string): string {
  const frame = framesOf(lang, seed.unsafe).find(
    ({ before, after }) => text.startsWith(before) && text.endsWith(after),
  );
  return frame === undefined ? text : text.slice(frame.before.length, text.length - frame.after.length);
}

/** How a word of the seed came out, the best first. */
const OUTCOMES = ['kept', 'phrase', 'sure', 'unsure', 'synonym', 'foreign', 'lost'] as const;
type Outcome = (typeof OUTCOMES)[number];

/** What a word is worth that came out so, and one of them that is misspelled. */
const WORTH: Readonly<Record<Outcome, number>> = {
  kept: 1,
  phrase: 0.85,
  sure: 0.8,
  unsure: 0.6,
  synonym: 0.7,
  foreign: 0.65,
  lost: 0,
};
const MISSPELLED = 0.85;

interface Expected {
  readonly forms: readonly { readonly words: readonly string[]; readonly outcome: Outcome }[];
  readonly weight: number;
}

const expectations = new WeakMap<GenerationTask, readonly Expected[]>();

interface Kept {
  /** Weight of the words that came out so, as a share of all. */
  readonly outcomes: Readonly<Record<Outcome, number>>;
  readonly misspelled: number;
}

function outcomesOf(task: GenerationTask, words: ReadonlySet<string>): Kept {
  const expected = expectations.get(task) ?? expectedWords(task);
  expectations.set(task, expected);
  const outcomes = Object.fromEntries(OUTCOMES.map((outcome) => [outcome, 0])) as Record<Outcome, number>;
  let misspelled = 0;
  let total = 0;
  for (const { forms, weight } of expected) {
    const exact = forms.find(({ words: form }) => form.every((word) => words.has(word)));
    const found = exact ?? forms.find(({ words: form }) => form.every((word) => isAmong(word, words)));
    outcomes[found?.outcome ?? 'lost'] += weight;
    if (found !== exact) misspelled += weight;
    total += weight;
  }
  if (total === 0) return { outcomes: { ...outcomes, kept: 1 }, misspelled: 0 };
  for (const outcome of OUTCOMES) outcomes[outcome] /= total;
  return { outcomes, misspelled: misspelled / total };
}

function shareKept(task: GenerationTask, words: ReadonlySet<string>): number {
  const { outcomes, misspelled } = outcomesOf(task, words);
  return OUTCOMES.reduce((sum, outcome) => sum + WORTH[outcome] * outcomes[outcome], (MISSPELLED - 1) * misspelled);
}

function expectedWords(task: GenerationTask): Expected[] {
  const { seed, lang } = task;
  const { own } = languageModels(lang, seed.lang);
  return createEditSpace(task).slots.flatMap((slot) => {
    const content = wordsOf(slot.word).filter((word) => !carriesLittle(word, seed.lang));
    if (content.length === 0) return [];
    const bits = content.map((word) => Math.min(own?.bits(word) ?? 12, 20));
    return [{ forms: formsOf(slot, lang, seed.lang), weight: bits.reduce((sum, value) => sum + value, 0) }];
  });
}

function formsOf({ word, options }: Slot, lang: string, from: string): Expected['forms'] {
  const forms = options.flatMap((option) => {
    const outcome = outcomeOf(option, lang === from, word.includes(' '));
    if (outcome === undefined) return [];
    const words = wordsOf(option.text);
    const content = words.filter((word) => !carriesLittle(word, lang));
    return [{ words: content.length > 0 ? content : words, outcome }];
  });
  return forms.sort((a, b) => OUTCOMES.indexOf(a.outcome) - OUTCOMES.indexOf(b.outcome));
}

function outcomeOf({ kind, share }: EditOption, within: boolean, isPhrase: boolean): Outcome | undefined {
  switch (kind) {
    case 'keep':
      return within ? 'kept' : 'foreign';
    case 'keep-foreign':
      return 'foreign';
    case 'substitute':
      return 'synonym';
    case 'translate':
      return isPhrase ? 'phrase' : share >= SURE ? 'sure' : 'unsure';
    default:
      return undefined;
  }
}

/** The lexicon's share from which a translation is likely to be right. */
const SURE = 0.4;

function isAmong(word: string, words: ReadonlySet<string>): boolean {
  if (words.has(word)) return true;
  for (const other of words) if (isMisspellingOf(other, word)) return true;
  return false;
}

function shareOfLanguage(words: readonly string[], wanted: LanguageModel, rivals: readonly LanguageModel[]): number {
  if (words.length === 0) return 0;
  let sum = 0;
  for (const word of words) {
    const bits = wanted.bits(word);
    const nearest = Math.min(...rivals.map((rival) => rival.bits(word)));
    sum += 1 / (1 + 2 ** (bits - nearest));
  }
  return sum / words.length;
}

/** 0.5 at two deviations above the mean bits a word of real texts. */
function fluencyOf(words: readonly string[], model: LanguageModel): number {
  const bits = meanBits(model, words);
  if (bits === undefined) return 0;
  const { mean, deviation } = model.usual;
  return 1 / (1 + Math.exp(2 * ((bits - mean) / deviation - 2)));
}
