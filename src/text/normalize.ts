import { createOffsetMap, type OffsetMap } from './offset-map.ts';

/**
 * The text a model sees. In order: line ends become `\n`; lone surrogates become U+FFFD; control characters become
 * spaces; invisible characters (Unicode's default-ignorables: zero-width, bidi controls, variation selectors, tag
 * characters, fillers) vanish; NFKC; runs of white space collapse to one space, or to one or two `\n` if they held
 * line ends; the ends are trimmed. `normalize` is idempotent.
 *
 * ZWJ and ZWNJ vanish in every script. Persian and Indic readers notice, the model does not: it was trained on text
 * normalised by this very function, and keeping them would leave a hole for splitting words invisibly.
 */
export interface NormalizedText {
  readonly text: string;
  /** False exactly when `text` is the input. */
  readonly changed: boolean;
  /** Offset into the input of the character at `offset` in `text`. Both count UTF-16 code units. */
  toOriginal(offset: number): number;
  /** The smallest span of the input that produced `text.slice(start, end)`, in UTF-16 code units. */
  toOriginalSpan(start: number, end: number): { start: number; end: number };
}

// One regex decides that printable ASCII with single white space needs nothing: no map, no copy.
const NEEDS_WORK = /[^\n\t\x20-\x7e]|[ \t\n]{2}|^[ \t\n]|[ \t\n]$/;

export function normalize(original: string): NormalizedText {
  const text = NEEDS_WORK.test(original) ? collapseWhitespace(fold(original)) : original;
  return text === original ? new UnchangedText(original) : new ChangedText(original, text);
}

const LINE_ENDS = /\r\n?|[\u0085\u2028\u2029]/g;
const LONE_SURROGATES = /\p{Surrogate}/gu;
const CONTROLS = /[\p{Cc}\u1680]/gu;
const INVISIBLE = /[\p{Default_Ignorable_Code_Point}\ufff9-\ufffb]/gu;

// Sorting combining marks is quadratic in ICU: 200,000 alternating marks took 11 s. No script stacks more than a few.
const MARK_RUNS_BEFORE = /([\p{M}\uff9e\uff9f]{32})[\p{M}\uff9e\uff9f]+/gu;
const MARK_RUNS_AFTER = /(\p{M}{16})\p{M}+/gu;

/** Everything but white space. Works segment by segment too (see `SEGMENTS`), which is what the offset map relies on. */
function fold(text: string): string {
  return text
    .replace(LINE_ENDS, '\n')
    .replace(LONE_SURROGATES, '\ufffd')
    .replace(CONTROLS, (control) => (control === '\n' || control === '\t' ? control : ' '))
    .replace(INVISIBLE, '')
    .replace(MARK_RUNS_BEFORE, '$1')
    .normalize('NFKC')
    .replace(MARK_RUNS_AFTER, '$1');
}

/**
 * Cuts a text where NFKC cannot reach across: before any character that neither combines with, nor decomposes to
 * something that combines with, what stands before it (marks, Hangul vowels and finals, half-width voicing marks).
 */
const SEGMENTS =
  /\r\n|[\s\S][\p{M}\p{Default_Ignorable_Code_Point}\ufff9-\ufffb\u1160-\u11ff\u3131-\u318e\ud7b0-\ud7ff\uff9e\uff9f\uffa0-\uffdc]*/gu;

const WHITESPACE_RUNS = /[ \t\n]{2,}/g;

function collapseRun(run: string): string {
  const first = run.indexOf('\n');
  if (first < 0) return ' ';
  return run.includes('\n', first + 1) ? '\n\n' : '\n';
}

const isWhitespace = (code: number) => code === 0x20 || code === 0x0a || code === 0x09;

function collapseWhitespace(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && isWhitespace(text.charCodeAt(start))) start += 1;
  while (end > start && isWhitespace(text.charCodeAt(end - 1))) end -= 1;
  return text.slice(start, end).replace(WHITESPACE_RUNS, collapseRun);
}

class UnchangedText implements NormalizedText {
  readonly text: string;
  readonly changed = false;

  constructor(text: string) {
    this.text = text;
  }

  toOriginal(offset: number): number {
    return offset;
  }

  toOriginalSpan(start: number, end: number): { start: number; end: number } {
    return { start, end };
  }
}

class ChangedText implements NormalizedText {
  readonly text: string;
  readonly changed = true;
  readonly #original: string;
  #offsets: OffsetMap | undefined;

  constructor(original: string, text: string) {
    this.#original = original;
    this.text = text;
  }

  toOriginal(offset: number): number {
    return this.#map().start(offset);
  }

  toOriginalSpan(start: number, end: number): { start: number; end: number } {
    if (end <= start) return { start: this.#map().start(start), end: this.#map().start(start) };
    return { start: this.#map().start(start), end: this.#map().end(end - 1) };
  }

  /** Built on first use: only answers with spans pay for it. */
  #map(): OffsetMap {
    this.#offsets ??= createOffsetMap(this.#original, SEGMENTS, fold, WHITESPACE_RUNS, collapseRun, this.text.length);
    return this.#offsets;
  }
}

/** Converts an offset in UTF-16 code units to code points, the unit of the API's spans. */
export function toCodePoints(text: string, offset: number): number {
  let points = 0;
  for (let i = 0; i < offset; i += 1) {
    const code = text.charCodeAt(i);
    const pair = code >= 0xd800 && code < 0xdc00 && (text.charCodeAt(i + 1) & 0xfc00) === 0xdc00;
    if (pair) i += 1;
    points += 1;
  }
  return points;
}
