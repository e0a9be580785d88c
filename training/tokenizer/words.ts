import { createLibraryTokenizer } from '../../src/text/library.ts';
import { normalize } from '../../src/text/normalize.ts';
import { detach, splitPieces } from '../../src/text/piece-encoder.ts';
import { tokenizerJson } from './template.ts';

/**
 * How often each piece occurs in `texts`, cut exactly as the written tokenizer will cut. When more than `maxWords`
 * different pieces were seen, those seen least are forgotten.
 */
export function countWords(texts: Iterable<string>, maxWords: number): Map<string, number> {
  const { normalizer, pre_tokenizer } = createLibraryTokenizer(tokenizerJson([]));
  const split = pre_tokenizer?.tokenizers?.[0];
  if (!normalizer || !split?.pattern) throw new Error('the tokenizer template has no normalizer or split');

  const words = new Map<string, number>();
  let rarest = 1;
  for (const text of texts) {
    const normalized = normalize(text).text;
    if (normalized === '') continue;
    for (const piece of splitPieces(normalizer(normalized), split.pattern, split)) {
      const count = words.get(piece);
      if (count !== undefined) words.set(piece, count + 1);
      else words.set(detach(piece), 1);
    }
    while (words.size > maxWords) forget(words, rarest++);
  }
  return words;
}

function forget(words: Map<string, number>, count: number): void {
  for (const [word, seen] of words) if (seen <= count) words.delete(word);
}
