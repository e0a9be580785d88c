import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { readManifest } from '../src/checkpoint/read-manifest.ts';
import { resolveActive } from '../src/checkpoint/resolve.ts';
import { createLibraryTokenizer } from '../src/text/library.ts';
import { normalize } from '../src/text/normalize.ts';
import { loadTokenizer } from '../src/text/tokenizer.ts';
import { readDataset } from '../training/data/dataset.ts';

/**
 * How fast is text on its way to the model, in MB/s of UTF-8 on one core?
 *
 *   normalise  src/text/normalize.ts
 *   library    @huggingface/tokenizers by itself
 *   first      our encoder over the same library, every text for the first time
 *   again      the same texts once more: what a cache of pieces gives
 *
 * The ids of both encoders are compared, and one letter 100,000 times must not take longer than as much prose.
 *
 *   npx tsx bench/tokenizer.bench.ts [--tokenizer FILE] [--data PATH|seeds] [--megabytes 4] [--rounds 3]
 */

const { values } = parseArgs({
  options: {
    tokenizer: { type: 'string' },
    data: { type: 'string', default: 'seeds' },
    megabytes: { type: 'string', default: '4' },
    rounds: { type: 'string', default: '3' },
  },
});

await main();

async function main(): Promise<void> {
  const json: object = JSON.parse(readFileSync(values.tokenizer ?? (await activeTokenizer()), 'utf8'));
  const raw = await readTexts(Number(values.megabytes) * 1e6);
  const texts = raw.map((text) => normalize(text).text).filter((text) => text !== '');
  const library = createLibraryTokenizer({ ...json, added_tokens: [] });
  const byLibrary = (text: string) => library.encode(text, { add_special_tokens: false }).ids;

  const rates = { normalise: [] as number[], library: [] as number[], first: [] as number[], again: [] as number[] };
  for (let round = 0; round < Number(values.rounds); round += 1) {
    const ours = loadTokenizer(json);
    rates.normalise.push(rate(raw, (text) => normalize(text)));
    rates.library.push(rate(texts, byLibrary));
    rates.first.push(rate(texts, ours.encode));
    rates.again.push(rate(texts, ours.encode));
  }
  const ours = loadTokenizer(json);
  const different = texts.filter((text) => ours.encode(text).join() !== byLibrary(text).join()).length;
  const tokens = texts.reduce((sum, text) => sum + ours.encode(text).length, 0);

  const megabytes = size(texts) / 1e6;
  print(`${texts.length} texts, ${megabytes.toFixed(1)} MB, ${((megabytes * 1e6) / tokens).toFixed(2)} bytes a token`);
  for (const [name, measured] of Object.entries(rates)) {
    print(`${name.padEnd(10)} ${median(measured).toFixed(2).padStart(8)} MB/s`);
  }
  print(`our encoder against the library: ${(median(rates.first) / median(rates.library)).toFixed(1)} times`);
  print(`texts with other ids than the library's: ${different}`);
  print(`100,000 times one letter: ${milliseconds(() => ours.encode('a'.repeat(100_000))).toFixed(1)} ms`);
  print(`1,000 prose letters, 100 times: ${milliseconds(() => ours.encode(prose(texts))).toFixed(1)} ms`);
  if (different > 0) process.exitCode = 1;
}

async function activeTokenizer(): Promise<string> {
  const directory = await resolveActive('models');
  return join(directory, (await readManifest(directory)).tokenizer);
}

async function readTexts(bytes: number): Promise<string[]> {
  const texts: string[] = [];
  let seen = 0;
  for await (const { text } of (await readDataset(values.data)).rows()) {
    if (seen >= bytes) break;
    texts.push(text);
    seen += Buffer.byteLength(text);
  }
  return texts;
}

function prose(texts: readonly string[]): string {
  return texts.join(' ').slice(0, 1000).repeat(100);
}

function rate(texts: readonly string[], work: (text: string) => unknown): number {
  const ms = milliseconds(() => {
    for (const text of texts) work(text);
  });
  return size(texts) / 1e3 / ms;
}

function milliseconds(work: () => unknown): number {
  const began = performance.now();
  work();
  return performance.now() - began;
}

function size(texts: readonly string[]): number {
  return texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0);
}

function median(numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[numbers.length >> 1] as number;
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
