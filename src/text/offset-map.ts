/** For each code unit of a normalised text, the span of the original that it came from. */
export interface OffsetMap {
  /** Start in the original of code unit `offset`; the original's length at or past the end. */
  start(offset: number): number;
  /** End (exclusive) in the original of code unit `offset`. */
  end(offset: number): number;
}

/**
 * Replays a normalisation piece by piece: `segments` cuts the original into pieces that `fold` treats independently,
 * then `runs` of the folded text are replaced by `collapse`, and white space at the ends is dropped.
 */
export function createOffsetMap(
  original: string,
  segments: RegExp,
  fold: (segment: string) => string,
  runs: RegExp,
  collapse: (run: string) => string,
  length: number,
): OffsetMap {
  const folded = foldSegments(original, segments, fold);
  const leading = folded.text.length - folded.text.trimStart().length;
  const kept = folded.text.slice(leading).trimEnd();

  const starts = new Uint32Array(length);
  const ends = new Uint32Array(length);
  let from = leading;
  let to = 0;
  const copy = (count: number) => {
    starts.set(folded.starts.slice(from, from + count), to);
    ends.set(folded.ends.slice(from, from + count), to);
    from += count;
    to += count;
  };
  for (const match of kept.matchAll(runs)) {
    copy(leading + match.index - from);
    const replacement = collapse(match[0]).length;
    starts.fill(folded.starts[from] as number, to, to + replacement);
    ends.fill(folded.ends[from + match[0].length - 1] as number, to, to + replacement);
    from += match[0].length;
    to += replacement;
  }
  copy(length - to);
  return {
    start: (offset) => starts[offset] ?? original.length,
    end: (offset) => ends[offset] ?? original.length,
  };
}

interface Folded {
  readonly text: string;
  readonly starts: number[];
  readonly ends: number[];
}

function foldSegments(original: string, segments: RegExp, fold: (segment: string) => string): Folded {
  const starts: number[] = [];
  const ends: number[] = [];
  let text = '';
  for (const { 0: segment, index } of original.matchAll(segments)) {
    const folded = fold(segment);
    text += folded;
    for (let i = 0; i < folded.length; i += 1) {
      const same = folded === segment;
      starts.push(same ? index + i : index);
      ends.push(same ? index + i + 1 : index + segment.length);
    }
  }
  return { text, starts, ends };
}
