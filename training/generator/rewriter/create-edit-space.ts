import type { Translation } from '../../lexicon/lexicon.ts';
import { likeCase } from '../../lexicon/words.ts';
import type { GenerationTask } from '../contract.ts';
import { disguisesOf } from './disguise.ts';
import type { EditOption, EditSpace, Slot } from './edit-space.ts';
import { type Frame, framesOf } from './frames.ts';
import { carriesLittle, denies } from './light-words.ts';
import { joinWords } from './orthography.ts';
import { type SeedWord, splitSeed } from './seed-words.ts';
import { type WordSources, wordSources } from './word-sources.ts';

/** A slot of the text: one word of the seed, or a few that the lexicon translates as one. */
interface Unit {
  readonly words: readonly SeedWord[];
  /** As the seed writes it. */
  readonly written: string;
  readonly options: readonly EditOption[];
}

const LONGEST_PHRASE = 3;
const MOST_TRANSLATIONS = 4;

/**
 * All rewritings of a seed: a slot for the frame, then one for each word or phrase. Disguises are options of single words,
 * so that one text can mix them. Throws an `Error` that names the languages when no lexicon leads from one to the other.
 */
export function createEditSpace(task: GenerationTask): EditSpace {
  const { seed, lang } = task;
  const { words, tail, length } = splitSeed(seed.text);
  const units = lang === seed.lang ? unitsWithin(words, lang) : unitsBetween(words, seed.lang, lang);
  const frames = framesOf(lang, seed.unsafe);
  const slots: Slot[] = [frameSlot(frames), ...units.map(({ written, options }) => ({ word: written, options }))];
  return {
    task,
    slots,
    seedLength: length < seed.text.length ? length : undefined,
    render(choices) {
      const text = renderUnits(units, tail, (index) => choices[index + 1] as number);
      const frame = frames[(choices[0] as number) - 1];
      const joined = lang === seed.lang ? text : joinWords(text, lang);
      return frame === undefined ? joined : frame.before + joined + frame.after;
    },
  };
}

function frameSlot(frames: readonly Frame[]): Slot {
  const none: EditOption = { kind: 'keep', rank: 0, text: '', share: 1 };
  return {
    word: '',
    options: [none, ...frames.map(({ name }, rank): EditOption => ({ kind: 'frame', rank, text: name, share: 1 }))],
  };
}

function unitsWithin(words: readonly SeedWord[], lang: string): Unit[] {
  const { synonyms } = wordSources(lang, lang);
  return words.map((seedWord) => {
    const { word, written } = seedWord;
    return {
      words: [seedWord],
      written,
      options: [plain(written), ...alternatives(seedWord, lang, synonyms.get(word))],
    };
  });
}

function alternatives(
  { word, written, next }: SeedWord,
  lang: string,
  synonyms: readonly Translation[] = [],
): readonly EditOption[] {
  if (isApostrophe(next)) return [];
  if (carriesLittle(word, lang)) return [DROP];
  const substitutes = denies(word) ? [] : synonyms.map(toOption('substitute', written));
  return [...substitutes, ...disguises(written)];
}

function unitsBetween(seedWords: readonly SeedWord[], from: string, to: string): Unit[] {
  // What French and Italian elide stands apart until the other language joins it.
  const words = seedWords.map((word) => (isApostrophe(word.before) ? { ...word, before: ' ' } : word));
  const sources = wordSources(from, to);
  const units: Unit[] = [];
  for (let at = 0; at < words.length; ) {
    const phrase = phraseAt(words, at, sources);
    const unit = phrase ?? wordUnit(words[at] as SeedWord, from, to, sources);
    units.push(unit);
    at += unit.words.length;
  }
  return units;
}

/** The longest phrase of several words of the lexicon that begins at a word. It stands on one line, with nothing but blanks inside. */
function phraseAt(words: readonly SeedWord[], at: number, { lexicon, phrases }: WordSources): Unit | undefined {
  for (let length = LONGEST_PHRASE; length > 1; length--) {
    const part = words.slice(at, at + length);
    if (part.length < length || part.some(({ before }, i) => i > 0 && before !== ' ')) continue;
    const translations = phrases.get(part.map(({ word }) => word).join(' '));
    if (translations === undefined) continue;
    const written = part.map((word) => word.written).join(' ');
    const wordByWord = part
      .map(({ word, written }) => lexicon.get(word)?.[0]?.word ?? written)
      .filter(Boolean)
      .join(' ');
    const listed = translations.some(({ word }) => word === wordByWord) || wordByWord === '';
    const all = listed ? translations : [...translations, { word: wordByWord, share: 0.1 }];
    return { words: part, written, options: [...all.map(toOption('translate', '')), foreign(written)] };
  }
  return undefined;
}

function wordUnit(seedWord: SeedWord, from: string, to: string, { lexicon, phrases }: WordSources): Unit {
  const { word, written } = seedWord;
  const [asPhrase, asWord] = [phrases.get(word) ?? [], lexicon.get(word) ?? []];
  const translations = [...asPhrase, ...(asPhrase.length > 0 ? asWord.filter(({ word }) => word !== '') : asWord)];
  return {
    words: [seedWord],
    written,
    options: wordOptions(seedWord, translations.slice(0, MOST_TRANSLATIONS), from, to),
  };
}

function wordOptions(
  { word, written, opens, next }: SeedWord,
  translations: readonly Translation[],
  from: string,
  to: string,
): EditOption[] {
  // Speaker of a dialogue: "A: Why?"
  if (written.length === 1 && next === ':') return [plain(written)];
  if (translations.length === 0) return [plain(written), ...disguises(written)];
  if (translations[0]?.word === '') return [DROP, foreign(written)];
  const translate = translations.map(toOption('translate', isShouted(written) ? written : ''));
  // What has a capital inside a sentence is mostly a name, which the lexicon knows only by accident.
  if (!opens && isName(written, from)) return [plain(written), ...translate];
  if (carriesLittle(word, from)) return [...translate, foreign(written), DROP];
  const best = translate[0] as EditOption;
  return [...translate, foreign(written), ...(carriesLittle(best.text.toLowerCase(), to) ? [] : disguises(best.text))];
}

const DROP: EditOption = { kind: 'drop', rank: 0, text: '', share: 1 };

function plain(written: string): EditOption {
  return { kind: 'keep', rank: 0, text: written, share: 1 };
}

function foreign(written: string): EditOption {
  return { kind: 'keep-foreign', rank: 0, text: written, share: 1 };
}

function toOption(kind: 'translate' | 'substitute', model: string) {
  return ({ word, share }: Translation, rank: number): EditOption => ({
    kind,
    rank,
    text: model === '' ? word : likeCase(model, word),
    share,
  });
}

const known = new Map<string, readonly EditOption[]>();
const MOST_KNOWN = 50_000;

/** Disguises of a word; texts share most of their words. */
function disguises(written: string): readonly EditOption[] {
  const found = known.get(written) ?? disguisesOf(written);
  if (known.size < MOST_KNOWN) known.set(written, found);
  return found;
}

function isApostrophe(character: string): boolean {
  return character === "'" || character === '’';
}

function isShouted(written: string): boolean {
  return written.length > 1 && written === written.toUpperCase() && written !== written.toLowerCase();
}

/** German gives every noun a capital, English its first person. */
function isName(written: string, lang: string): boolean {
  return lang !== 'de' && hasCapital(written) && !isShouted(written) && !/^I(?:['’]|$)/.test(written);
}

function hasCapital(written: string): boolean {
  const [first = ''] = written;
  return first !== first.toLowerCase();
}

/**
 * What stands between words stays; a dropped word takes the blanks before it along, and leaves its capital to the next.
 * Blanks around a spaced-out word are doubled, or nobody could tell where it ends.
 */
function renderUnits(units: readonly Unit[], tail: string, choiceOf: (index: number) => number): string {
  let result = '';
  let capitalDue = false;
  let wide = false;
  let afterDropped = false;
  for (let i = 0; i < units.length; i++) {
    const { words, options } = units[i] as Unit;
    const { before, opens, written } = words[0] as SeedWord;
    const { kind, text } = options[choiceOf(i)] as EditOption;
    if (opens) capitalDue = hasCapital(written);
    const dropped = kind === 'drop';
    const spaced = kind === 'space-out';
    if (dropped && !opens) result += before.trimEnd();
    // Nothing is left before it that it could stand apart from.
    else if (!(afterDropped && before === ' ')) result += before === ' ' && (spaced || wide) ? '  ' : before;
    afterDropped = dropped && (opens || afterDropped);
    if (dropped) continue;
    result += capitalDue ? capitalised(text) : text;
    capitalDue = false;
    wide = spaced;
  }
  return result + tail;
}

function capitalised(text: string): string {
  const [first = ''] = text;
  return first.toUpperCase() + text.slice(first.length);
}
