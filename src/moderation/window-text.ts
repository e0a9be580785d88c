import { type Encoder, windowTokens } from '../checkpoint/encode.ts';
import type { Sequence } from '../inference/engine.ts';
import type { MappedText, Span } from '../text/mapped-text.ts';

/** The text of one window. */
export interface WindowText {
  readonly text: string;
  /** By code unit of `text`, where in the raw text what it came from begins and ends, in code points. */
  readonly starts: Uint32Array<ArrayBuffer>;
  readonly ends: Uint32Array<ArrayBuffer>;
}

interface ReadingWithWindows {
  readonly text: MappedText;
  readonly ids: readonly number[];
  readonly windows: readonly Sequence[];
}

/** @param raw what the reading was made of. */
export function readWindow(raw: string, reading: ReadingWithWindows, window: number, encoder: Encoder): WindowText {
  const place = windowPlace(encoder, reading, window);
  const text = reading.text.text.slice(place.start, place.end);
  const starts = new Uint32Array(text.length);
  const ends = new Uint32Array(text.length);
  for (let unit = 0; unit < text.length; unit += 1) {
    const { start, end } = reading.text.toOriginalSpan(place.start + unit, place.start + unit + 1);
    starts[unit] = start;
    ends[unit] = end;
  }
  return { text, starts: toCodePoints(raw, starts), ends: toCodePoints(raw, ends) };
}

/**
 * Where in its reading a window's text stands, by what its tokens decode to. A tokenizer that loses characters gives a
 * place by proportion.
 */
function windowPlace(encoder: Encoder, { text: { text }, ids, windows }: ReadingWithWindows, window: number): Span {
  if (windows.length === 1) return { start: 0, end: text.length };
  const tokens = windowTokens(encoder, ids.length, window);
  const { decode } = encoder.tokenizer;
  const start = decode(ids.slice(0, tokens.start)).length;
  const end = start + decode(ids.slice(tokens.start, tokens.end)).length;
  // Half a character at a border decodes to U+FFFD: a few units more or less.
  if (Math.abs(decode(ids.slice(tokens.end)).length + end - text.length) <= 8) return inside(text, start, end);
  const perToken = text.length / ids.length;
  return inside(text, Math.floor(tokens.start * perToken), Math.ceil(tokens.end * perToken));
}

/** No border inside a surrogate pair. */
function inside(text: string, start: number, end: number): Span {
  const isInner = (at: number) => /^[\udc00-\udfff]/.test(text.slice(at, at + 1)) && at > 0;
  return { start: isInner(start) ? start - 1 : start, end: Math.min(text.length, isInner(end) ? end + 1 : end) };
}

/** Converts ascending offsets in code units to code points, the unit of the API's spans, in one pass and in place. */
function toCodePoints(raw: string, offsets: Uint32Array<ArrayBuffer>): Uint32Array<ArrayBuffer> {
  let unit = 0;
  let points = 0;
  for (let index = 0; index < offsets.length; index += 1) {
    for (const offset = offsets[index] as number; unit < offset; unit += 1) {
      const isPair = (raw.charCodeAt(unit) & 0xfc00) === 0xd800 && (raw.charCodeAt(unit + 1) & 0xfc00) === 0xdc00;
      if (isPair) unit += 1;
      points += 1;
    }
    offsets[index] = points;
  }
  return offsets;
}
