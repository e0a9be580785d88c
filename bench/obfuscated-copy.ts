import { createWriteStream } from 'node:fs';
import { finished } from 'node:stream/promises';
import { parseArgs } from 'node:util';
import { readRows } from '../training/data/rows.ts';
import { derivedSeed, seededRandom } from '../training/random.ts';
import { DISGUISES, type Disguise } from './obfuscate.ts';

/** Those that normalisation leaves and that a person can still read. */
const READABLE: readonly Disguise[] = ['homoglyphs', 'leetspeak', 'dotted', 'spaced'];

const USAGE = `Usage: npx tsx bench/obfuscated-copy.ts --data FILE --out FILE.jsonl [--lang en] [--seed 1]

Copies labelled rows, and adds to those of one language a disguised version of each, as benchmark "disguised <name>".
Each text gets one of: ${READABLE.join(', ')}.
`;

const { values } = parseArgs({
  options: {
    data: { type: 'string' },
    out: { type: 'string' },
    lang: { type: 'string', default: 'en' },
    seed: { type: 'string', default: '1' },
  },
});
if (values.data === undefined || values.out === undefined) {
  process.stderr.write(USAGE);
  process.exit(2);
}
const out = createWriteStream(values.out);
let number = 0;
for await (const row of readRows(values.data)) {
  const write = (fields: object): boolean => out.write(`${JSON.stringify(fields)}\n`);
  const { text, lang, benchmark = row.source ?? 'data', unsafe } = row;
  write({ text, lang, benchmark, unsafe });
  if (lang !== values.lang) continue;
  const random = seededRandom(derivedSeed(Number(values.seed), `${number++}`));
  const disguise = DISGUISES[READABLE[Math.floor(random() * READABLE.length)]!];
  write({ text: disguise(text, random), lang, benchmark: `disguised ${benchmark}`, unsafe });
}
await finished(out.end());
