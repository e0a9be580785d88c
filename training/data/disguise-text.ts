import { createRequire } from 'node:module';

/**
 * A text as people write it who do not want a filter to read it, drawn by `random`: letters apart, look-alikes, digits for
 * letters, mistakes, encodings. Harmless texts come in disguise as well, so a guardrail that learns from copies of both
 * labels does not take the disguise itself for harm. The text comes back as it was where nothing in it can be disguised.
 */
export function disguiseText(text: string, random: () => number): string {
  return pick(DISGUISES, random)(text, random);
}

type Disguise = (text: string, random: () => number) => string;

const LETTERS = /[\p{L}\p{M}]{4,}/gu;
const SEPARATORS = [' ', ' ', '.', '-', '_', '*', '  ', '|'];
/** Characters that are not seen: zero-width spaces and joiners, soft hyphens. */
const INVISIBLE = ['\u200b', '\u200c', '\u200d', '\u2060', '\u00ad', '\ufeff'];
/** Digits and signs that are commonly read as letters. */
const LEETSPEAK: Readonly<Record<string, readonly string[]>> = {
  a: ['4', '@'],
  b: ['8', '6'],
  c: ['('],
  e: ['3'],
  g: ['9', '6'],
  h: ['#'],
  i: ['1', '!'],
  l: ['1', '|'],
  o: ['0'],
  q: ['9'],
  s: ['5', '$'],
  t: ['7', '+'],
  x: ['%'],
  z: ['2'],
};

const lookAlikes = lookAlikesByLetter();

const DISGUISES: readonly Disguise[] = [
  (text, random) => letterByLetter(text, pick(SEPARATORS, random)),
  (text) => letterByLetter(text, ' '),
  invisible,
  (text, random) => someWords(text, random, (word) => [...word].join(pick(SEPARATORS, random))),
  (text, random) => exchanged(text, lookAlikes, random),
  (text, random) => exchanged(text, lookAlikes, random),
  (text, random) => exchanged(text, LEETSPEAK, random),
  (text, random) => exchanged(text, LEETSPEAK, random),
  (text, random) => someWords(text, random, (word) => misspelled(word, random)),
  (text, random) => someWords(text, random, (word) => word.toUpperCase()),
  (text) => Buffer.from(text).toString('base64'),
  (text) => rotated(text, 13),
];

function letterByLetter(text: string, separator: string): string {
  return [...text].join(separator);
}

/** At least a fifth of the longer words, by chance all. */
function someWords(text: string, random: () => number, change: (word: string) => string): string {
  const share = 0.2 + 0.8 * random();
  return text.replace(LETTERS, (word) => (random() < share ? change(word) : word));
}

/** After up to half of the letters, something that is not seen. */
function invisible(text: string, random: () => number): string {
  const share = 0.5 * random();
  return text.replace(/\p{L}/gu, (letter) => (random() < share ? letter + pick(INVISIBLE, random) : letter));
}

/** At least a fifth of the letters that have something else to stand for them. */
function exchanged(text: string, table: Readonly<Record<string, readonly string[]>>, random: () => number): string {
  const share = 0.2 + 0.8 * random();
  return text.replace(/[a-z]/gi, (letter) => {
    const choices = table[letter] ?? table[letter.toLowerCase()];
    return choices !== undefined && random() < share ? pick(choices, random) : letter;
  });
}

/** One slip: a letter left out, doubled, or before its neighbour. */
function misspelled(word: string, random: () => number): string {
  const letters = [...word];
  const at = 1 + Math.floor(random() * (letters.length - 2));
  const letter = letters[at] as string;
  const slip = random();
  if (slip < 1 / 3) return letters.toSpliced(at, 1).join('');
  if (slip < 2 / 3) return letters.toSpliced(at, 0, letter).join('');
  return letters.toSpliced(at, 2, letters[at + 1] ?? '', letter).join('');
}

function rotated(text: string, by: number): string {
  return text.replace(/[a-z]/gi, (letter) => {
    const first = letter < 'a' ? 65 : 97;
    return String.fromCharCode(first + ((letter.charCodeAt(0) - first + by) % 26));
  });
}

/** By Latin letter, the letters of other scripts that Unicode's table of confusables reads as it. */
function lookAlikesByLetter(): Readonly<Record<string, readonly string[]>> {
  const unicode = createRequire(import.meta.url)('unhomoglyph/data.json') as Readonly<Record<string, string>>;
  const table: Record<string, string[]> = {};
  for (const [character, letter] of Object.entries(unicode)) {
    const other = /^(?!\p{Script=Latin})\p{L}$/u.test(character) && character.normalize('NFKC') === character;
    // Beyond the basic plane there are letters of scripts that nobody can type.
    if (!other || character.length > 1 || !/^[A-Za-z]$/.test(letter)) continue;
    table[letter] = [...(table[letter] ?? []), character];
  }
  return table;
}

function pick<T>(choices: readonly T[], random: () => number): T {
  return choices[Math.floor(random() * choices.length)] as T;
}
