import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { learnLexicon } from '../lexicon/lexicon.ts';
import { LEXICONS_DIRECTORY, toLexiconFile } from '../lexicon/lexicon-file.ts';
import { readParallel } from '../lexicon/parallel.ts';

const USAGE = `Usage: npm run lexicon -- [options]

Learns word lexicons from English to other languages by aligning parallel texts.

  --parallel PATH   a .jsonl or .jsonl.gz file of {"en", "xx", "lang"}, or a directory of them; this project's parallel
                    seeds are read as well
  --languages LIST  separated by commas. Default: fr,es,de
  --out DIR         where en-XX.json is written. Default: the lexicons that training reads
`;

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      parallel: { type: 'string' },
      languages: { type: 'string', default: 'fr,es,de' },
      out: { type: 'string', default: LEXICONS_DIRECTORY },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(USAGE);
    return;
  }
  mkdirSync(values.out, { recursive: true });
  for (const to of values.languages.split(',')) {
    const texts = await readParallel(values.parallel, to);
    const pairs = texts.flatMap((text) => text.pairs);
    if (pairs.length === 0) throw new Error(`there are no parallel texts of English and ${to}`);
    const lexicon = learnLexicon(pairs);
    const data = texts.map(({ source, pairs }) => ({ source, pairs: pairs.length }));
    const path = join(values.out, `en-${to}.json`);
    writeFileSync(`${path}.next`, `${JSON.stringify(toLexiconFile(lexicon, { from: 'en', to, data }))}\n`);
    renameSync(`${path}.next`, path);
    process.stdout.write(`${path}: ${lexicon.size} words from ${pairs.length} sentence pairs\n`);
  }
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : error}\n`);
  process.exitCode = 1;
});
