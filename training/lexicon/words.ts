/** English contractions stay whole; an elision (`l'eau`, `dell'acqua`) is two words. */
const WORD = /[\p{L}\p{M}]+(?:['’](?:t|s|re|ve|ll|d|m)(?![\p{L}\p{M}]))?/gu;

/** The words of a text in lower case, without numbers and punctuation. */
export function wordsOf(text: string): string[] {
  return Array.from(text.matchAll(WORD), ([word]) => fold(word));
}

/** The words of a text as they are written. */
export function writtenWordsOf(text: string): string[] {
  return Array.from(text.matchAll(WORD), ([word]) => word.replaceAll('’', "'"));
}

/** A word, how it is written, and where it stands in its text. */
export interface WordSpan {
  readonly word: string;
  readonly written: string;
  readonly start: number;
  readonly end: number;
}

export function wordSpansOf(text: string): WordSpan[] {
  return Array.from(text.matchAll(WORD), ({ 0: written, index }) => ({
    word: fold(written),
    written,
    start: index,
    end: index + written.length,
  }));
}

/**
 * Replaces words of `text`, which `replacement` gets in lower case; whatever stands between words stays. `undefined`
 * keeps a word, `null` drops it and the space before it.
 */
export function replaceWords(text: string, replacement: (word: string) => string | null | undefined): string {
  let result = '';
  let end = 0;
  for (const match of text.matchAll(WORD)) {
    const [word] = match;
    const between = text.slice(end, match.index);
    end = match.index + word.length;
    const replaced = replacement(fold(word));
    if (replaced === null) result += between.replace(/\s+$/u, '');
    else result += between + (replaced === undefined ? word : likeCase(word, replaced));
  }
  return result + text.slice(end);
}

function fold(word: string): string {
  return word.toLowerCase().replaceAll('’', "'");
}

/** `word` with the capitals of `model`: all, the first, or its own. */
export function likeCase(model: string, word: string): string {
  if (model.length > 1 && model === model.toUpperCase() && model !== model.toLowerCase()) return word.toUpperCase();
  const [first = ''] = word;
  const capital = model[0] !== model[0]?.toLowerCase();
  return capital ? first.toUpperCase() + word.slice(first.length) : word;
}
