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

/** A way to read one text under a policy's phrases. */
export interface PolicyReader {
  /** Allowed phrases are taken out, so that the model judges what stands around them as if they were not there. */
  read(raw: string): Reading[];
  /** Number of the denied phrase that a reading of the text contains. Asked after `read`. */
  readonly denied: number | undefined;
}

export function createPolicyReader({ phrases }: PolicyRules): PolicyReader {
  const { deny, allow } = matchersOf(phrases);
  let denied: number | undefined;
  return {
    read(raw) {
      const readings = readText(raw);
      for (const { text } of readings) denied ??= deny.first(text.text);
      return readings.map(({ view, text }) => {
        const removals = allow.removals(text.text);
        return removals.length === 0 ? { view, text } : { view, text: compose(text, applyEdits(text.text, removals)) };
      });
    },
    get denied() {
      return denied;
    },
  };
}
