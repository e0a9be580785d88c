import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { readDataset } from '../data/dataset.ts';
import { learnLanguageModel } from '../lexicon/learn-language-model.ts';
import { LEXICONS_DIRECTORY } from '../lexicon/lexicon-file.ts';
import { readTranslations } from '../lexicon/parallel.ts';

const USAGE = `Usage: npm run language-model -- [options]

Learns small word and letter models of languages, by which the rewriter's texts are rated.

  --text PATH       rows of plain text, a .jsonl or .jsonl.gz file or a directory of them; this project's seeds are read
                    as well
  --parallel PATH   parallel texts as npm run lexicon takes them, for their side in the language
  --languages LIST  separated by commas. Default: en,fr,es,de
  --most N          texts from each source and language. Default: 30000
  --out DIR         where XX.model.json is written. Default: beside the lexicons
`;

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      text: { type: 'string' },
      parallel: { type: 'string' },
      languages: { type: 'string', default: 'en,fr,es,de' },
      most: { type: 'string', default: '30000' },
      out: { type: 'string', default: LEXICONS_DIRECTORY },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(USAGE);
    return;
  }
  mkdirSync(values.out, { recursive: true });
  const languages = values.languages.split(',');
  const texts = new Map(languages.map((lang) => [lang, new Map<string, string[]>()]));
  const add = (source: string, lang: string, text: string): void => {
    const sources = texts.get(lang);
    if (sources === undefined) return;
    const list = sources.get(source) ?? [];
    if (list.length < Number(values.most)) list.push(text);
    sources.set(source, list);
  };
  for (const path of ['seeds:train', values.text]) {
    if (path === undefined) continue;
    for await (const { source, lang, text } of (await readDataset(path)).rows()) add(source, lang, text);
  }
  if (values.parallel !== undefined) {
    for await (const { source, en, xx, lang } of readTranslations(values.parallel)) {
      add(source, lang, xx);
      add(source, 'en', en);
    }
  }
  for (const lang of languages) {
    const sources = texts.get(lang) as Map<string, string[]>;
    const data = [...sources].map(([source, list]) => ({ source, texts: list.length }));
    const all = [...sources.values()].flat();
    if (all.length === 0) throw new Error(`there are no texts in ${lang}`);
    const path = join(values.out, `${lang}.model.json`);
    writeFileSync(`${path}.next`, `${JSON.stringify(learnLanguageModel(lang, all, data))}\n`);
    renameSync(`${path}.next`, path);
    process.stdout.write(`${path}: ${all.length} texts\n`);
  }
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : error}\n`);
  process.exitCode = 1;
});
