import { readDataset } from '../../data/dataset.ts';
import { readTranslations } from '../../lexicon/parallel.ts';
import type { GenerationTask } from '../contract.ts';

/** A text and what a human made of it in the task's language. */
export interface TranslationPair {
  readonly task: GenerationTask;
  readonly target: string;
}

export interface TranslationSources {
  /** A `.jsonl` or `.jsonl.gz` file of `{en, xx, lang}`, or a directory of them. The seeds are read as well. */
  readonly parallel?: string;
  /** Which direction is wanted. */
  readonly wanted: (from: string, to: string) => boolean;
}

/** Characters of a text; longer ones are seldom translated sentence by sentence. */
const LONGEST = 300;

/**
 * Human translations in both directions. Lines without a label get one by turns, so that it means nothing; the held-out
 * seeds stay out. Throws an `Error` that names the file and line of a mistake.
 */
export async function readTranslationPairs({ parallel, wanted }: TranslationSources): Promise<TranslationPair[]> {
  const pairs: TranslationPair[] = [];
  const push = (seed: Omit<GenerationTask['seed'], 'id'>, lang: string, target: string): void => {
    if (!wanted(seed.lang, lang) || seed.text.length > LONGEST || target.length > LONGEST) return;
    pairs.push({ task: { seed: { ...seed, id: `translation ${pairs.length}` }, lang }, target });
  };
  if (parallel !== undefined) {
    let number = 0;
    for await (const { source, lang, en, xx } of readTranslations(parallel)) {
      const rest = { unsafe: number++ % 2 === 1, categories: null, source };
      push({ text: en, lang: 'en', ...rest }, lang, xx);
      push({ text: xx, lang, ...rest }, 'en', en);
    }
  }
  const versions = new Map<string, { text: string; lang: string; unsafe: boolean }[]>();
  for await (const { pair, text, lang, unsafe } of (await readDataset('seeds:train')).rows()) {
    if (pair !== undefined) versions.set(pair, [...(versions.get(pair) ?? []), { text, lang, unsafe }]);
  }
  for (const group of versions.values()) {
    for (const { text, lang, unsafe } of group) {
      const seed = { text, lang, unsafe, categories: null, source: 'seeds' };
      for (const other of group) if (other.lang !== lang) push(seed, other.lang, other.text);
    }
  }
  return pairs;
}
