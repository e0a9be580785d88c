/** Every language is cut by one segmenter: it finds the words of Chinese and Japanese by dictionary, whatever its locale. */
const segmenter = new Intl.Segmenter('en', { granularity: 'word' });

/** How texts are compared: compatibility forms, case, punctuation and spacing do not count. */
export function comparable(text: string): string {
  return text
    .normalize('NFKC')
    .toLowerCase()
    .replace(/[^\p{L}\p{M}\p{N}]+/gu, ' ')
    .trim();
}

/** The first `length` words of a text with a space between them; `undefined` where it has fewer. */
export function openingWords(text: string, length = 4): string | undefined {
  const words: string[] = [];
  for (const { segment, isWordLike } of segmenter.segment(text.normalize('NFKC').toLowerCase())) {
    if (isWordLike && words.push(segment) === length) return words.join(' ');
  }
  return undefined;
}
