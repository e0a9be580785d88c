import { glance, type Turned } from './glance.ts';
import { NOTHING, type Uncover } from './view.ts';

/**
 * Turned English has 0.65 a letter. Measured on 13,000 English texts of 25 characters and more, these two find 98.9 % of
 * them turned, and something in 0.2 % of 43,600 texts in 17 languages that are not.
 */
const EVIDENCE = 10;
/** Per letter. Names and keys that look like turned English are less dense. */
const DENSITY = 0.3;
/** Different letters: one word over and over is no language. */
const VARIETY = 8;

/** Text turned by 13 letters, in whole or in part: the run of words whose letters speak most for it. */
export const uncoverRot13: Uncover = (text) => {
  const { turned } = glance(text);
  if (!isSuspicious(turned)) return NOTHING;
  const found = text.slice(turned.start, turned.end);
  const letters = found.toLowerCase().replace(/[^a-z]/g, '');
  if (turned.evidence < DENSITY * letters.length || new Set(letters).size < VARIETY) return NOTHING;
  return [{ start: turned.start, end: turned.end, text: turn(found) }];
};

/** Whether a closer look is worth it. */
export function isSuspicious({ evidence }: Turned): boolean {
  return evidence >= EVIDENCE;
}

function turn(text: string): string {
  return text.replace(/[a-z]/gi, (letter) => {
    const code = letter.charCodeAt(0);
    return String.fromCharCode((code & 0x1f) > 13 ? code - 13 : code + 13);
  });
}
