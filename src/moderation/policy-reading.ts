import type { PolicyRules } from '../policy/rules.ts';
import { applyEdits, compose } from '../text/mapped-text.ts';
import { compilePhrases, type PhraseMatcher } from '../text/phrases.ts';
import { type Reading, readText } from '../text/views/readings.ts';

interface Matchers {
  readonly deny: PhraseMatcher;
  readonly allow: PhraseMatcher;
}

/** Compiled once for each loading of a policy. */
const compiled = new WeakMap<PolicyRules['phrases'], Matchers>();

function matchersOf(phrases: PolicyRules['phrases']): Matchers {
  const known = compiled.get(phrases);
  if (known !== undefined) return known;
  const matchers = { deny: compilePhrases(phrases.deny), allow: compilePhrases(phrases.allow) };
  compiled.set(phrases, matchers);
  return matchers;
}

export interface PolicyReading {
  /** Allowed phrases are taken out, so that the model judges what stands around them as if they were not there. */
  readonly readings: readonly Reading[];
  /** Number of the denied phrase that a reading of the text contains. */
  readonly denied: number | undefined;
}

/** One text as it is read under a policy's phrases. */
export function readUnderPolicy({ phrases }: Pick<PolicyRules, 'phrases'>, raw: string): PolicyReading {
  const readings = readText(raw);
  if (phrases.deny.length === 0 && phrases.allow.length === 0) return { readings, denied: undefined };
  const { deny, allow } = matchersOf(phrases);
  let denied: number | undefined;
  for (const { text } of readings) denied ??= deny.first(text.text);
  return {
    readings: readings.map(({ view, text }) => {
      const removals = allow.removals(text.text);
      return removals.length === 0 ? { view, text } : { view, text: compose(text, applyEdits(text.text, removals)) };
    }),
    denied,
  };
}
