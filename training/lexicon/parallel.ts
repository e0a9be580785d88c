import { readdirSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { z } from 'zod';
import { readDataset } from '../data/dataset.ts';
import { readLines } from '../data/lines.ts';
import type { SentencePair } from './model1.ts';
import { createTrueCaser } from './true-case.ts';
import { wordsOf } from './words.ts';

export interface ParallelText {
  readonly source: string;
  readonly pairs: readonly SentencePair[];
}

interface RawPair {
  readonly en: string;
  readonly xx: string;
}

interface Translated extends RawPair {
  readonly source: string;
  readonly lang: string;
}

const lineSchema = z.object({ en: z.string(), xx: z.string(), lang: z.string() });

/** Longer sentences say little about words and cost most: alignment is quadratic in length. */
const LONGEST = 60;

/**
 * English sentences and their translations into `language` from `*.jsonl[.gz]` of `{en, xx, lang}` and from the seeds; the
 * other way round when `reversed`. Sources are in lower case, targets as inside a sentence.
 */
export async function readParallel(
  path: string | undefined,
  language: string,
  reversed = false,
): Promise<ParallelText[]> {
  const bySource = new Map<string, RawPair[]>();
  if (path !== undefined) {
    for await (const { source, lang, en, xx } of readTranslations(path)) {
      const pairs = bySource.get(source) ?? [];
      bySource.set(source, pairs);
      if (lang === language) pairs.push({ en, xx });
    }
  }
  const texts = [...bySource].map(([source, pairs]) => ({ source, pairs }));
  texts.push({ source: 'seeds', pairs: await seedPairs(language) });
  const sourceOf = ({ en, xx }: RawPair) => (reversed ? xx : en);
  const targetOf = ({ en, xx }: RawPair) => (reversed ? en : xx);
  const trueCase = createTrueCaser(texts.flatMap(({ pairs }) => pairs.map(targetOf)));
  const toWords = (pair: RawPair) => ({
    source: wordsOf(sourceOf(pair)),
    target: wordsOf(targetOf(pair)).map(trueCase),
  });
  const read = texts.map(({ source, pairs }) => ({ source, pairs: pairs.map(toWords).filter(alignable) }));
  return read.filter(({ pairs }) => pairs.length > 0);
}

/** Lines of parallel files with the name of their file. Throws an `Error` that names the file and line of a mistake. */
export async function* readTranslations(path: string): AsyncGenerator<Translated> {
  for (const file of filesOf(path)) {
    const source = basename(file).replace(/\.jsonl(\.gz)?$/, '');
    let number = 0;
    for await (const line of readLines(file)) {
      number++;
      if (line.trim() !== '') yield { source, ...parseLine(line, `${file}:${number}`) };
    }
  }
}

/** The held-out seeds stay out, as in training. */
async function seedPairs(to: string): Promise<RawPair[]> {
  const texts = new Map<string, Map<string, string>>();
  for await (const { pair, lang, text } of (await readDataset('seeds:train')).rows()) {
    if (pair === undefined) continue;
    const versions = texts.get(pair) ?? new Map<string, string>();
    texts.set(pair, versions.set(lang, text));
  }
  return [...texts.values()].flatMap((versions) => {
    const [source, target] = [versions.get('en'), versions.get(to)];
    return source === undefined || target === undefined ? [] : [{ en: source, xx: target }];
  });
}

function alignable({ source, target }: SentencePair): boolean {
  return source.length > 0 && target.length > 0 && source.length <= LONGEST && target.length <= LONGEST;
}

function filesOf(path: string): string[] {
  if (!statSync(path, { throwIfNoEntry: false })) throw new Error(`there are no parallel texts at ${path}`);
  if (!statSync(path).isDirectory()) return [path];
  const names = readdirSync(path).filter((name) => /\.jsonl(\.gz)?$/.test(name));
  return names.sort().map((name) => join(path, name));
}

function parseLine(line: string, place: string): z.infer<typeof lineSchema> {
  let json: unknown;
  try {
    json = JSON.parse(line);
  } catch (cause) {
    throw new Error(`${place}: not JSON`, { cause });
  }
  const parsed = lineSchema.safeParse(json);
  if (!parsed.success) throw new Error(`${place}: ${z.prettifyError(parsed.error)}`);
  return parsed.data;
}
