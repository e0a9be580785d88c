import { type WordSpan, wordSpansOf } from '../../lexicon/words.ts';

/**
 * Slots for words per text. A longer seed keeps its last sentences: what is asked for mostly stands at the end, and of a
 * question with its answer the answer's label counts. Of the seeds 5 % are longer.
 */
export const MOST_WORDS = 64;

/** A word of the seed with what stands between it and the word before. */
export interface SeedWord {
  readonly word: string;
  readonly written: string;
  readonly before: string;
  /** First of the text, of a line or of a sentence. */
  readonly opens: boolean;
  /** Character behind it; empty at the end. */
  readonly next: string;
}

export interface SeedWords {
  readonly words: readonly SeedWord[];
  /** What follows the last word. */
  readonly tail: string;
  /** Characters that were kept. */
  readonly length: number;
}

const OPENING = /[.!?…]["'»”’)\]]*\s+\P{L}*$|\n\P{L}*$/u;

export function splitSeed(text: string): SeedWords {
  const kept = text.slice(startOfKept(text));
  const spans = wordSpansOf(kept);
  let end = 0;
  const words = spans.map((span, index): SeedWord => {
    const before = kept.slice(end, span.start);
    end = span.end;
    return {
      word: span.word,
      written: span.written,
      before,
      opens: index === 0 || OPENING.test(before),
      next: kept[end] ?? '',
    };
  });
  return { words, tail: kept.slice(end), length: kept.length };
}

/** Where the first sentence begins from which at most `MOST_WORDS` follow; in the middle of one if it is longer. */
function startOfKept(text: string): number {
  const spans = wordSpansOf(text);
  const first = spans.length - MOST_WORDS;
  if (first <= 0) return 0;
  for (let at = first; at < first + (MOST_WORDS * 3) / 4; at++) {
    const { start } = spans[at] as WordSpan;
    if (OPENING.test(text.slice((spans[at - 1] as WordSpan).end, start))) return start;
  }
  return (spans[first] as WordSpan).start;
}
