import { EVIDENCE_UNIT, TURNED, TURNED_EVIDENCE } from './glance.ts';
import { NOTHING, type Uncover } from './view.ts';

/** Per letter. Names and keys that look like turned English are less dense. */
const DENSITY = 0.3 * EVIDENCE_UNIT;
/** Different letters: one word over and over is no language. */
const VARIETY = 8;

/** Text turned by 13 letters, in whole or in part: the run of words whose letters speak most for it. */
export const uncoverRot13: Uncover = (text) => {
  const { evidence, start, end } = mostTurned(text);
  if (evidence < TURNED_EVIDENCE) return NOTHING;
  const found = text.slice(start, end);
  const letters = found.toLowerCase().replace(/[^a-z]/g, '');
  if (evidence < DENSITY * letters.length || new Set(letters).size < VARIETY) return NOTHING;
  return [{ start, end, text: turn(found) }];
};

interface Turned {
  /** Log of how much likelier the letters are in turned English than in English. */
  readonly evidence: number;
  readonly start: number;
  readonly end: number;
}

/** The run of words whose letters speak most for rot13. */
function mostTurned(text: string): Turned {
  let evidence = 0;
  let start = 0;
  let most: Turned = { evidence: 0, start: 0, end: 0 };
  for (let at = 0; at <= text.length; at += 1) {
    const character = text[at] ?? ' ';
    if (character === ' ' || character === '\n') {
      if (evidence > most.evidence) most = { evidence, start, end: at };
      if (evidence <= 0) {
        evidence = 0;
        start = at + 1;
      }
    } else {
      evidence += TURNED[character.charCodeAt(0)] ?? 0;
    }
  }
  return most;
}

function turn(text: string): string {
  return text.replace(/[a-z]/gi, (letter) => {
    const code = letter.charCodeAt(0);
    return String.fromCharCode((code & 0x1f) > 13 ? code - 13 : code + 13);
  });
}
