import type { Span } from './mapped-text.ts';

/** Words by Unicode's rules and by dictionary where a script has no spaces. */
const segmenter = new Intl.Segmenter('und', { granularity: 'word' });

/** Spans of words, and of whatever else is not white space: signs, emoji. */
export function segmentsOf(text: string): Span[] {
  const segments: Span[] = [];
  for (const { segment, index } of segmenter.segment(text)) {
    if (segment.trim() !== '') segments.push({ start: index, end: index + segment.length });
  }
  return segments;
}
