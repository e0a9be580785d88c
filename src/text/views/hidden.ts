/**
 * Whether normalisation took something away that the model should see. White space and composed accents differ between
 * honest writers; a second look at them would only cost time.
 */
export function hidesSomething(raw: string, normalized: string): boolean {
  if (raw === normalized) return false;
  return STACKED_MARKS.test(raw) || withoutWhitespace(raw.normalize('NFKC')) !== withoutWhitespace(normalized);
}

/** No script stacks so many marks on a letter, and composing them takes time quadratic in their number. */
const STACKED_MARKS = /\p{M}{33}/u;

function withoutWhitespace(text: string): string {
  return text.replace(/[ \t\r\n]+/g, '');
}
