import type { Reading } from '../../../src/text/views/readings.ts';
import { readText } from '../../../src/text/views/readings.ts';
import { type LanguageModel, meanBits } from '../../lexicon/language-model.ts';
import { wordsOf } from '../../lexicon/words.ts';
import type { GenerationTask } from '../contract.ts';
import { createEditSpace } from './create-edit-space.ts';
import type { EditKind, Slot } from './edit-space.ts';
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

/** Fitted to the ratings in calibration.jsonl whose number is even; see docs/generator.md. */
export const RATING_WEIGHTS = { constant: 1, kept: 2.5, language: 0.8, fluency: 0.8 };
const CUTS = [1.5, 2.5, 3.5, 4.5];

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

interface Expected {
  /** In any of these forms, all words of the form. */
  readonly forms: readonly { readonly words: readonly string[]; readonly worth: number }[];
  readonly weight: number;
}

/** What a word of the seed is worth when it came out so. */
const WORTH: Readonly<Partial<Record<EditKind, number>>> = {
  keep: 1,
  translate: 1,
  substitute: 0.8,
  'keep-foreign': 0.7,
};

const expectations = new WeakMap<GenerationTask, readonly Expected[]>();

function shareKept(task: GenerationTask, words: ReadonlySet<string>): number {
  const expected = expectations.get(task) ?? expectedWords(task);
  expectations.set(task, expected);
  let kept = 0;
  let total = 0;
  for (const { forms, weight } of expected) {
    let best = 0;
    for (const { words: form, worth } of forms)
      if (worth > best && form.every((word) => isAmong(word, words))) best = worth;
    kept += best * weight;
    total += weight;
  }
  return total === 0 ? 1 : kept / total;
}

function expectedWords(task: GenerationTask): Expected[] {
  const { seed, lang } = task;
  const { own } = languageModels(lang, seed.lang);
  return createEditSpace(task).slots.flatMap((slot) => {
    const content = wordsOf(slot.word).filter((word) => !carriesLittle(word, seed.lang));
    if (content.length === 0) return [];
    const bits = content.map((word) => Math.min(own?.bits(word) ?? 12, 20));
    return [{ forms: formsOf(slot, lang), weight: bits.reduce((sum, value) => sum + value, 0) }];
  });
}

function formsOf({ options }: Slot, lang: string): Expected['forms'] {
  return options.flatMap(({ kind, text }) => {
    const worth = WORTH[kind];
    if (worth === undefined) return [];
    const words = wordsOf(text);
    const content = words.filter((word) => !carriesLittle(word, lang));
    return [{ words: content.length > 0 ? content : words, worth }];
  });
}

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
