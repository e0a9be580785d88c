/** What one pass over a text says of disguises that few texts hold, so that the others pay for one pass only. */
export interface Glance {
  /** At least 16 characters of either base64 alphabet in a row. */
  readonly longRun: boolean;
  readonly turned: Turned;
}

/** The run of words whose letters speak most for rot13. */
export interface Turned {
  /** Log of how much likelier the letters are in turned English than in English. */
  readonly evidence: number;
  readonly start: number;
  readonly end: number;
}

/** From 12 bytes on: shorter texts hide little, and words start to decode by chance. */
const LONG_RUN = 16;
const SPACE = 0x20;
const NEWLINE = 0x0a;

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

/** By character code below 128: 1 in either base64 alphabet. */
const IN_ALPHABET = Uint8Array.from({ length: 128 }, (_, code) =>
  /[A-Za-z0-9+/_-]/.test(String.fromCharCode(code)) ? 1 : 0,
);

export function glance(text: string): Glance {
  let run = 0;
  let longest = 0;
  let evidence = 0;
  let start = 0;
  let turned: Turned = { evidence: 0, start: 0, end: 0 };
  for (let at = 0; at <= text.length; at += 1) {
    const code = at < text.length ? text.charCodeAt(at) : SPACE;
    if (code === SPACE || code === NEWLINE) {
      if (run > longest) longest = run;
      run = 0;
      if (evidence > turned.evidence) turned = { evidence, start, end: at };
      if (evidence <= 0) {
        evidence = 0;
        start = at + 1;
      }
    } else if (code < 128 && IN_ALPHABET[code] === 1) {
      run += 1;
      evidence += TURNED[code] as number;
    } else {
      if (run > longest) longest = run;
      run = 0;
    }
  }
  return { longRun: longest >= LONG_RUN, turned };
}
