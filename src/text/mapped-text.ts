/** A text made from another one, and the way back. Offsets count UTF-16 code units. */
export interface MappedText {
  readonly text: string;
  /** The smallest span of the original that produced `text.slice(start, end)`. */
  toOriginalSpan(start: number, end: number): Span;
}

/** Half-open. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** Replaces `start..end` of a text. */
export interface Edit extends Span {
  readonly text: string;
}

/** The text itself, unchanged. */
export function unmapped(text: string): MappedText {
  return { text, toOriginalSpan: (start, end) => ({ start, end }) };
}

/**
 * `edits` are in order and do not overlap. A replacement as long as what it replaces maps unit by unit; of any other
 * every unit maps to all that was replaced.
 */
export function applyEdits(original: string, edits: readonly Edit[]): MappedText {
  const parts: string[] = [];
  /** Where each edit begins in the result, and how far the text behind it has moved. */
  const begins = new Uint32Array(edits.length);
  let read = 0;
  let written = 0;
  for (const [index, { start, end, text }] of edits.entries()) {
    parts.push(original.slice(read, start), text);
    begins[index] = written + start - read;
    written = (begins[index] as number) + text.length;
    read = end;
  }
  parts.push(original.slice(read));

  const spanOf = (unit: number): Span => {
    const index = lastAtMost(begins, unit);
    const edit = edits[index];
    if (edit === undefined) return { start: unit, end: unit + 1 };
    const inside = unit - (begins[index] as number);
    if (inside < edit.text.length && edit.text.length !== edit.end - edit.start) return edit;
    const start = inside < edit.text.length ? edit.start + inside : edit.end + inside - edit.text.length;
    return { start, end: start + 1 };
  };
  return {
    text: parts.join(''),
    toOriginalSpan(start, end) {
      const first = Math.min(spanOf(start).start, original.length);
      return { start: first, end: end <= start ? first : spanOf(end - 1).end };
    },
  };
}

/** Index of the last of the ascending `numbers` that is not above `limit`; -1 when there is none. */
function lastAtMost(numbers: Uint32Array, limit: number): number {
  let low = 0;
  let high = numbers.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((numbers[middle] as number) <= limit) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

/** `outer` was made from `inner.text`: one map from its text to the original of `inner`. */
export function compose(inner: MappedText, outer: MappedText): MappedText {
  return {
    text: outer.text,
    toOriginalSpan(start, end) {
      const between = outer.toOriginalSpan(start, end);
      return inner.toOriginalSpan(between.start, between.end);
    },
  };
}
