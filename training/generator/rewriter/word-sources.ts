import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Lexicon, Translation } from '../../lexicon/lexicon.ts';
import { LEXICONS_DIRECTORY, readLexicon } from '../../lexicon/lexicon-file.ts';
import { learnSynonyms } from '../../lexicon/synonyms.ts';

/** What the rewriter knows about the words of a pair of languages. */
export interface WordSources {
  /** From the seed's language to the other; empty where both are one. */
  readonly lexicon: Lexicon;
  /** The same of two and three words in a row, joined by blanks. */
  readonly phrases: Lexicon;
  /** Near-synonyms within the seed's language. */
  readonly synonyms: Lexicon;
}

const NO_WORDS: Lexicon = new Map();
const loaded = new Map<string, WordSources>();

/** Reads the lexicons of a pair once. Throws an `Error` that names both languages when there are none. */
export function wordSources(from: string, to: string): WordSources {
  const key = `${from}-${to}`;
  const known = loaded.get(key);
  if (known) return known;
  const sources = from === to ? withinLanguage(from) : betweenLanguages(from, to);
  loaded.set(key, sources);
  return sources;
}

/** Languages that a seed in `from` can be rewritten in: its own, and those that lexicons lead to and back from. */
export function languagesFrom(from: string): readonly string[] {
  const targets = readdirSync(LEXICONS_DIRECTORY).flatMap((name) => {
    const found = /^([a-z]{2})-([a-z]{2})\.json$/.exec(name);
    const to = found?.[1] === from ? (found[2] as string) : undefined;
    return to !== undefined && exists(`${to}-${from}.json`) ? [to] : [];
  });
  return [from, ...targets.sort()];
}

function betweenLanguages(from: string, to: string): WordSources {
  if (!exists(`${from}-${to}.json`)) throw new Error(`the rewriter has no lexicon from ${from} to ${to}`);
  const phrases = exists(`${from}-${to}.phrases.json`) ? readLexicon(from, `${to}.phrases`) : NO_WORDS;
  return { lexicon: trusted(readLexicon(from, to), from, to), phrases, synonyms: NO_WORDS };
}

/** Without translations that the way back doesn't know: names and single sightings. */
function trusted(lexicon: Lexicon, from: string, to: string): Lexicon {
  if (!exists(`${to}-${from}.json`)) return lexicon;
  const back = readLexicon(to, from);
  const isTrusted = ({ word }: Translation) => word === '' || back.has(word.toLowerCase());
  return new Map(
    [...lexicon].flatMap(([word, list]) => {
      const kept = list.filter(isTrusted);
      return kept.length > 0 ? [[word, kept] as const] : [];
    }),
  );
}

function withinLanguage(lang: string): WordSources {
  const pivots = languagesFrom(lang)
    .slice(1)
    .filter((pivot) => exists(`${pivot}-${lang}.json`));
  const ways = pivots.map((pivot) => ({ there: readLexicon(lang, pivot), back: readLexicon(pivot, lang) }));
  return { lexicon: NO_WORDS, phrases: NO_WORDS, synonyms: learnSynonyms(ways) };
}

function exists(name: string): boolean {
  return existsSync(join(LEXICONS_DIRECTORY, name));
}
