/**
 * Disguises as people write them, made independently of the tables in `src/text/views`: a letter is replaced by chance, so
 * that words come out half disguised, and pairs are those of common generators.
 */
export const DISGUISES = {
  invisible: (text, random) => byLetter(text, (letter) => (random() < 0.3 ? letter + pick(INVISIBLE, random) : letter)),
  'full width': (text) => text.replace(/[!-~]/g, (sign) => String.fromCharCode(sign.charCodeAt(0) + 0xfee0)),
  homoglyphs: (text, random) => byLetter(text, (letter) => replaced(letter, HOMOGLYPHS, 0.5, random)),
  spaced: (text) => [...text].join(' '),
  dotted: (text, random) => text.replace(/[a-z]{4,}/gi, (word) => (random() < 0.5 ? [...word].join('.') : word)),
  leetspeak: (text, random) => byLetter(text, (letter) => replaced(letter, LEET, 0.6, random)),
  base64: (text) => Buffer.from(text).toString('base64'),
  rot13: (text) =>
    text.replace(/[a-z]/gi, (letter) => {
      const first = letter < 'a' ? 65 : 97;
      return String.fromCharCode(first + ((letter.charCodeAt(0) - first + 13) % 26));
    }),
} as const satisfies Record<string, (text: string, random: () => number) => string>;

export type Disguise = keyof typeof DISGUISES;

const INVISIBLE = ['\u200b', '\u200c', '\u200d', '\u2060', '\u00ad'];
const HOMOGLYPHS: Readonly<Record<string, readonly string[]>> = {
  a: ['а', 'ɑ', 'α'],
  c: ['с', 'ϲ'],
  e: ['е', 'ҽ'],
  h: ['һ'],
  i: ['і', 'ι'],
  j: ['ј'],
  k: ['к', 'κ'],
  l: ['ӏ'],
  n: ['п', 'ո'],
  o: ['о', 'ο', 'օ'],
  p: ['р', 'ρ'],
  s: ['ѕ'],
  u: ['υ', 'ս'],
  v: ['ν', 'ѵ'],
  w: ['ԝ', 'ω'],
  x: ['х', 'χ'],
  y: ['у', 'γ'],
  A: ['А', 'Α'],
  B: ['В', 'Β'],
  C: ['С'],
  E: ['Е', 'Ε'],
  H: ['Н', 'Η'],
  I: ['І', 'Ι'],
  M: ['М', 'Μ'],
  T: ['Т', 'Τ'],
};
const LEET: Readonly<Record<string, readonly string[]>> = {
  a: ['4', '@'],
  b: ['8'],
  e: ['3'],
  g: ['9'],
  i: ['1', '!'],
  l: ['1', '|'],
  o: ['0'],
  s: ['5', '$'],
  t: ['7'],
};

function byLetter(text: string, replace: (letter: string) => string): string {
  return text.replace(/[a-z]/gi, replace);
}

function replaced(
  letter: string,
  table: Readonly<Record<string, readonly string[]>>,
  share: number,
  random: () => number,
): string {
  const choices = table[letter] ?? table[letter.toLowerCase()];
  return choices && random() < share ? pick(choices, random) : letter;
}

function pick(choices: readonly string[], random: () => number): string {
  return choices[Math.floor(random() * choices.length)] as string;
}
