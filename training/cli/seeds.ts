import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { readDataset } from '../data/dataset.ts';
import { type Fault, readSeeds, SEEDS_DIRECTORY } from '../data/seeds.ts';
import { checkSeeds } from '../seeds-report/check.ts';
import { type BenchmarkText, benchmarkFaults } from '../seeds-report/duplicates.ts';
import { reportSeeds } from '../seeds-report/report.ts';
import { formatCard, formatReport, replaceTables } from '../seeds-report/tables.ts';

const USAGE = `Usage: npm run -s seeds -- report [--json] [--card] [--directory DIR]
       npm run -s seeds -- check [--against PATH ...] [--directory DIR]

report   what the corpus holds: texts by language, category, label, kind and length, duplicates, openings, twins
  --json           as JSON
  --card           write the tables into README.md of the corpus instead
check    schema, links, duplicates and openings; exit status 1 and the ids when something is wrong
  --against PATH   no row may be a text of these rows, or nearly: a .jsonl or .jsonl.gz file or a directory of them

  --directory DIR  another corpus than training/seeds
`;

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      json: { type: 'boolean', default: false },
      card: { type: 'boolean', default: false },
      against: { type: 'string', multiple: true, default: [] },
      directory: { type: 'string', default: SEEDS_DIRECTORY },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) process.stdout.write(USAGE);
  else if (positionals.join() === 'report') await report(values.directory, values);
  else if (positionals.join() === 'check') await check(values.directory, values.against);
  else throw new Error('say report or check; --help shows how to call');
}

async function report(directory: string, { json, card }: { json: boolean; card: boolean }): Promise<void> {
  const { rows, faults } = await readSeeds(directory);
  if (faults.length > 0) process.stderr.write(`${faults.length} lines break the schema and are left out\n`);
  const found = reportSeeds(rows);
  if (card) {
    const file = join(directory, 'README.md');
    await writeFile(file, replaceTables(await readFile(file, 'utf8'), formatCard(found)));
  } else {
    process.stdout.write(json ? `${JSON.stringify(found, null, 2)}\n` : formatReport(found));
  }
}

async function check(directory: string, against: readonly string[]): Promise<void> {
  const { rows, faults } = await readSeeds(directory);
  const found = [...faults, ...checkSeeds(rows)];
  if (against.length > 0) found.push(...(await benchmarkFaults(rows, benchmarkTexts(against))));
  for (const { rule, ids, message } of found) process.stdout.write(`${rule}: ${ids.join(' ')}: ${message}\n`);
  process.stdout.write(`${rows.length} rows, ${summarise(found)}\n`);
  if (found.length > 0) process.exitCode = 1;
}

async function* benchmarkTexts(paths: readonly string[]): AsyncGenerator<BenchmarkText> {
  for (const path of paths) {
    const numbers = new Map<string, number>();
    for await (const { text, benchmark, source } of (await readDataset(path)).rows()) {
      const name = benchmark ?? source;
      const number = (numbers.get(name) ?? 0) + 1;
      numbers.set(name, number);
      yield { place: `${name} ${number}`, text };
    }
  }
}

function summarise(faults: readonly Fault[]): string {
  const counts = new Map<string, number>();
  for (const { rule } of faults) counts.set(rule, (counts.get(rule) ?? 0) + 1);
  return counts.size === 0 ? 'no faults' : [...counts].map(([rule, count]) => `${count} x ${rule}`).join(', ');
}

try {
  await main();
} catch (error) {
  if (!(error instanceof Error)) throw error;
  process.stderr.write(`seeds: ${error.message}\n`);
  process.exitCode = 1;
}
