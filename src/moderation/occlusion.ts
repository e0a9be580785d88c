import type { Span } from '../text/mapped-text.ts';

/** A stretch of text and what it carries: by how much the category's log-odds fall without it. */
export interface Weighed extends Span {
  readonly fall: number;
}

/** First look: the words in so many groups of neighbours. Second: so many words of the groups that carry most. */
const GROUPS = 16;
const WORDS = 32;

/** A few words are looked at one by one; more in groups first. Together at most `GROUPS + WORDS` occlusions. */
export function firstLook(words: readonly Span[]): Span[][] {
  const size = words.length <= WORDS ? 1 : Math.ceil(words.length / GROUPS);
  const groups: Span[][] = [];
  for (let at = 0; at < words.length; at += size) groups.push(words.slice(at, at + size));
  return groups;
}

/** The words of the groups that carry most, best first, at most `WORDS` of them. `falls`: one per group. */
export function secondLook(groups: readonly (readonly Span[])[], falls: readonly number[]): Span[] {
  return groups
    .map((words, index) => ({ words, fall: falls[index] as number }))
    .sort((a, b) => b.fall - a.fall)
    .flatMap(({ words }) => words)
    .slice(0, WORDS);
}

/** The text with one stretch left out, and no gap where it was. */
export function without(text: string, { start, end }: Span): string {
  const before = text.slice(0, start);
  const after = text.slice(end);
  return /\s$/.test(before) && /^\s/.test(after) ? before + after.slice(1) : before + after;
}

export interface Carrier extends Span {
  /** In (0, 1], against the word that carries most. */
  readonly weight: number;
}

const LEAST_WEIGHT = 0.25;
const MOST_CARRIERS = 5;

/**
 * The words that carry at least a quarter of what the strongest does, neighbours joined; the strongest few, in text order.
 * None when no word by itself carries anything.
 */
export function pickCarriers(text: string, words: readonly Weighed[]): Carrier[] {
  const most = Math.max(0, ...words.map(({ fall }) => fall));
  if (most === 0) return [];
  const carriers: Carrier[] = [];
  for (const { start, end, fall } of words.toSorted((a, b) => a.start - b.start)) {
    const weight = fall / most;
    if (weight < LEAST_WEIGHT) continue;
    const last = carriers.at(-1);
    if (last && text.slice(last.end, start).trim() === '') {
      carriers[carriers.length - 1] = { start: last.start, end, weight: Math.max(last.weight, weight) };
    } else carriers.push({ start, end, weight });
  }
  const strongest = new Set(carriers.toSorted((a, b) => b.weight - a.weight).slice(0, MOST_CARRIERS));
  return carriers.filter((carrier) => strongest.has(carrier));
}
