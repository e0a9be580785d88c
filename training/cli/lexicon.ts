import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { DEFAULT_LIMITS, type Lexicon, learnLexicon } from '../lexicon/lexicon.ts';
import { LEXICONS_DIRECTORY, type LexiconFile, toLexiconFile } from '../lexicon/lexicon-file.ts';
import { readParallel } from '../lexicon/parallel.ts';
import { learnPhrases } from '../lexicon/phrases.ts';

const USAGE = `Usage: npm run lexicon -- [options]

Learns word lexicons and phrase tables between English and other languages by aligning parallel texts.

  --parallel PATH   a .jsonl or .jsonl.gz file of {"en", "xx", "lang"}, or a directory of them; this project's parallel
                    seeds are read as well
  --languages LIST  separated by commas. Default: fr,es,de
  --reverse         from these languages to English: XX-en.json
  --phrases         two and three words in a row as well: en-XX.phrases.json
  --sightings N     leave out translations that are aligned fewer than N times. Default: 0
  --out DIR         where en-XX.json is written. Default: the lexicons that training reads
`;

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      parallel: { type: 'string' },
      languages: { type: 'string', default: 'fr,es,de' },
      reverse: { type: 'boolean', default: false },
      phrases: { type: 'boolean', default: false },
      sightings: { type: 'string', default: '0' },
      out: { type: 'string', default: LEXICONS_DIRECTORY },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(USAGE);
    return;
  }
  mkdirSync(values.out, { recursive: true });
  for (const language of values.languages.split(',')) {
    const [from, to] = values.reverse ? [language, 'en'] : ['en', language];
    const texts = await readParallel(values.parallel, language, values.reverse);
    const pairs = texts.flatMap((text) => text.pairs);
    if (pairs.length === 0) throw new Error(`there are no parallel texts of English and ${language}`);
    const about = { from, to, data: texts.map(({ source, pairs }) => ({ source, pairs: pairs.length })) };
    const path = (name: string) => join(values.out, `${from}-${to}${name}.json`);
    const lexicon = learnLexicon(pairs, { ...DEFAULT_LIMITS, sightings: Number(values.sightings) });
    writeLexicon(path(''), lexicon, about);
    process.stdout.write(`${path('')}: ${lexicon.size} words from ${pairs.length} sentence pairs\n`);
    if (!values.phrases) continue;
    const phrases = learnPhrases(pairs, lexicon);
    writeLexicon(path('.phrases'), phrases, about);
    process.stdout.write(`${path('.phrases')}: ${phrases.size} phrases\n`);
  }
}

function writeLexicon(path: string, lexicon: Lexicon, about: Omit<LexiconFile, 'words'>): void {
  writeFileSync(`${path}.next`, `${JSON.stringify(toLexiconFile(lexicon, about))}\n`);
  renameSync(`${path}.next`, path);
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : error}\n`);
  process.exitCode = 1;
});
