import { NOTHING, type Uncover } from './view.ts';

/** Letters a to z in 10,000 letters of English. */
const ENGLISH = [
  817, 149, 278, 425, 1270, 223, 202, 609, 697, 15, 77, 403, 241, 675, 751, 193, 10, 599, 633, 906, 276, 98, 236, 15,
  197, 7,
];

/** Bound of what one letter may say: or three words with a z would be enough. */
const LOUDEST = 2;

/** By character code below 128: log of how much likelier the letter is in turned English than in English; else 0. */
const TURNED = Float64Array.from({ length: 128 }, (_, code) => {
  const letter = (code | 0x20) - 0x61;
  if (code < 0x41 || letter < 0 || letter > 25) return 0;
  const evidence = Math.log((ENGLISH[(letter + 13) % 26] as number) / (ENGLISH[letter] as number));
  return Math.max(-LOUDEST, Math.min(LOUDEST, evidence));
});

/**
 * Turned English has 0.65 a letter. Measured on 13,000 English texts of 25 characters and more, these two find 98.9 % of
 * them turned, and something in 0.2 % of 43,600 texts in 17 languages that are not.
 */
const EVIDENCE = 10;
/** Per letter. Names and keys that look like turned English are less dense. */
const DENSITY = 0.3;
/** Different letters: one word over and over is no language. */
const VARIETY = 8;

const SPACE = 0x20;
const NEWLINE = 0x0a;

/**
 * Text turned by 13 letters, in whole or in part: the run of words whose letters speak most for it. Costs one addition a
 * character on any other text.
 */
export const uncoverRot13: Uncover = (text) => {
  let sum = 0;
  let start = 0;
  let best = { sum: 0, start: 0, end: 0 };
  for (let at = 0; at <= text.length; at += 1) {
    const code = at < text.length ? text.charCodeAt(at) : SPACE;
    if (code === SPACE || code === NEWLINE) {
      if (sum > best.sum) best = { sum, start, end: at };
      if (sum <= 0) {
        sum = 0;
        start = at + 1;
      }
    } else if (code < 128) sum += TURNED[code] as number;
  }
  if (best.sum < EVIDENCE) return NOTHING;
  const found = text.slice(best.start, best.end);
  const letters = found.toLowerCase().replace(/[^a-z]/g, '');
  if (best.sum < DENSITY * letters.length || new Set(letters).size < VARIETY) return NOTHING;
  return [{ start: best.start, end: best.end, text: turn(found) }];
};

function turn(text: string): string {
  return text.replace(/[a-z]/gi, (letter) => {
    const code = letter.charCodeAt(0);
    return String.fromCharCode((code & 0x1f) > 13 ? code - 13 : code + 13);
  });
}
