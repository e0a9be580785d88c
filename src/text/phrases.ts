import type { Edit } from './mapped-text.ts';
import { normalize } from './normalize.ts';

/** Finds phrases as whole words, whatever their case and the punctuation between the words. Linear in the text. */
export interface PhraseMatcher {
  /** Number of the phrase that matches first in the text, or undefined. */
  first(text: string): number | undefined;
  /** Every match, the longest at its place, in order and without overlap; each replaced by nothing. */
  removals(text: string): Edit[];
}

interface Node {
  readonly next: Map<string, Node>;
  /** Number of the phrase that ends here. */
  phrase?: number;
}

interface Word {
  readonly text: string;
  readonly start: number;
  readonly end: number;
}

/** Scripts that do not part words by spaces: each of their characters is a word. */
const WORDS =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}]\p{M}*|(?:(?![\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}])[\p{L}\p{N}\p{M}_])+/gu;

/** A phrase without a word in it matches nothing. */
export function compilePhrases(phrases: readonly string[]): PhraseMatcher {
  const root: Node = { next: new Map() };
  for (const [index, phrase] of phrases.entries()) {
    const node = wordsOf(normalize(phrase).text).reduce(childOf, root);
    if (node !== root) node.phrase ??= index;
  }
  return {
    first(text) {
      if (phrases.length === 0) return undefined;
      const words = wordsOf(text);
      for (let at = 0; at < words.length; at++) {
        const match = longestMatch(root, words, at);
        if (match !== undefined) return match.phrase;
      }
      return undefined;
    },
    removals(text) {
      if (phrases.length === 0) return [];
      const words = wordsOf(text);
      const edits: Edit[] = [];
      for (let at = 0; at < words.length; at++) {
        const match = longestMatch(root, words, at);
        if (match === undefined) continue;
        edits.push({ start: (words[at] as Word).start, end: (words[match.last] as Word).end, text: '' });
        at = match.last;
      }
      return edits;
    },
  };
}

function wordsOf(text: string): Word[] {
  return Array.from(text.matchAll(WORDS), (match) => ({
    text: match[0].toLowerCase(),
    start: match.index,
    end: match.index + match[0].length,
  }));
}

function childOf(node: Node, { text }: Word): Node {
  const existing = node.next.get(text);
  if (existing !== undefined) return existing;
  const child: Node = { next: new Map() };
  node.next.set(text, child);
  return child;
}

function longestMatch(root: Node, words: readonly Word[], from: number): { phrase: number; last: number } | undefined {
  let node: Node | undefined = root;
  let found: { phrase: number; last: number } | undefined;
  for (let at = from; at < words.length; at++) {
    node = node.next.get((words[at] as Word).text);
    if (node === undefined) break;
    if (node.phrase !== undefined) found = { phrase: node.phrase, last: at };
  }
  return found;
}
