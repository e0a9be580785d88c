import { existsSync } from 'node:fs';
import { parseArgs } from 'node:util';
import type { Checkpoint } from '../src/checkpoint/checkpoint.ts';
import { createRegistry } from '../src/checkpoint/registry.ts';
import { resolveActive } from '../src/checkpoint/resolve.ts';
import { createClassifier } from '../src/moderation/classify.ts';
import type { ItemVerdict } from '../src/moderation/contract.ts';
import { prepareItem } from '../src/moderation/prepare.ts';
import { readPlainly, readText } from '../src/text/views/readings.ts';
import { readDataset } from '../training/data/dataset.ts';
import { scoreTexts } from '../training/evaluation/score.ts';
import { startForEvaluation } from '../training/evaluation/serving.ts';
import { seededRandom } from '../training/random.ts';
import { DISGUISES, type Disguise } from './obfuscate.ts';

/**
 * Do the views see through disguises, and what do they cost texts that have none?
 *
 *   cost      of preparing and scoring `--plain` plain texts with views, against without
 *   recall    of unsafe texts in each disguise, with views and without, against the same texts undisguised
 *   alarms    flags on safe texts: what views add to the plain ones, and on the disguised ones
 *
 * Bars: cost below 5 %; recall over all disguises at most 3 points below the plain texts'; at most 1 point more alarms
 * than without views on plain texts.
 *
 *   npx tsx bench/views.bench.ts [--data PATH|seeds] [--lang en] [--texts 300] [--plain 3000] [--seed 1] [--rounds 5]
 *     [--checkpoint ID]
 */

const DEVELOPMENT_SET = '../shared/data/dev/paper.jsonl.gz';
const BARS = { cost: 0.05, recallLoss: 0.03, moreAlarms: 0.01 };

const { values } = parseArgs({
  options: {
    data: { type: 'string' },
    lang: { type: 'string', default: 'en' },
    texts: { type: 'string', default: '300' },
    plain: { type: 'string', default: '3000' },
    seed: { type: 'string', default: '1' },
    rounds: { type: 'string', default: '5' },
    checkpoint: { type: 'string', default: 'active' },
  },
});

interface Sample {
  readonly text: string;
  readonly unsafe: boolean;
}

interface Rates {
  readonly recall: number;
  readonly alarms: number;
}

await main();

async function main(): Promise<void> {
  const random = seededRandom(Number(values.seed));
  const { all, samples } = await readSamples(values.data ?? defaultData(), random);
  const checkpoint = await startForEvaluation(await resolveActive('models', values.checkpoint), 1, false);
  try {
    const cost = await measureCost(checkpoint, all.slice(0, Number(values.plain)));
    print(
      `views on plain text: ${percent(cost.moreTime)} more time, ${percent(cost.moreTokens)} more tokens to score\n`,
    );
    const { plain, disguised } = await measureDisguises(checkpoint, samples, random);
    report(cost.total, plain, disguised);
  } finally {
    await checkpoint.close();
  }
}

function defaultData(): string {
  if (existsSync(DEVELOPMENT_SET)) return DEVELOPMENT_SET;
  print(`${DEVELOPMENT_SET} is not there: measuring on the held-out tenth of the seed corpus instead.`);
  return 'seeds:held-out';
}

/** `all` in random order; `samples` are the first of them. */
async function readSamples(data: string, random: () => number): Promise<{ all: Sample[]; samples: Sample[] }> {
  const read: Sample[] = [];
  for await (const { text, unsafe, lang } of (await readDataset(data)).rows()) {
    if (lang === values.lang) read.push({ text, unsafe: Boolean(unsafe) });
  }
  const all = read
    .map((sample) => ({ sample, key: random() }))
    .sort((a, b) => a.key - b.key)
    .map(({ sample }) => sample);
  const samples = all.slice(0, Number(values.texts));
  const unsafe = samples.filter((sample) => sample.unsafe).length;
  print(`${samples.length} of ${all.length} texts (${values.lang}) of ${data}, ${unsafe} of them unsafe`);
  return { all, samples };
}

interface Cost {
  /** Sequences' tokens that views add, of those without. */
  readonly moreTokens: number;
  /** Time that looking for disguises and tokenising what was found add, of preparing and scoring without. */
  readonly moreTime: number;
  readonly total: number;
}

/** Best times of some rounds, because other processes share the machine; what views add to inference is counted in tokens. */
async function measureCost(checkpoint: Checkpoint, samples: readonly Sample[]): Promise<Cost> {
  const prepare = (read: typeof readText) =>
    samples.flatMap(({ text }) => prepareItem(text, read(text), checkpoint, 'window').sequences);
  const tokensOf = (sequences: readonly Int32Array[]) => sequences.reduce((sum, { length }) => sum + length, 0);
  const plain = prepare(readPlainly);
  const moreTokens = tokensOf(prepare(readText)) / tokensOf(plain) - 1;

  const best = {
    without: Number.POSITIVE_INFINITY,
    with: Number.POSITIVE_INFINITY,
    inference: Number.POSITIVE_INFINITY,
  };
  for (let round = 0; round < Number(values.rounds); round += 1) {
    best.without = Math.min(best.without, await milliseconds(() => prepare(readPlainly)));
    best.with = Math.min(best.with, await milliseconds(() => prepare(readText)));
    const score = () => checkpoint.engine.submit(plain, new AbortController().signal);
    best.inference = Math.min(best.inference, await milliseconds(score));
  }
  const whole = best.without + best.inference;
  const moreTime = (best.with - best.without) / whole;
  return { moreTokens, moreTime, total: moreTime + (moreTokens * best.inference) / whole };
}

async function milliseconds(work: () => unknown): Promise<number> {
  const began = performance.now();
  await work();
  return performance.now() - began;
}

async function measureDisguises(checkpoint: Checkpoint, samples: readonly Sample[], random: () => number) {
  const { classify } = createClassifier({ registry: createRegistry(checkpoint) });
  const measure = async (texts: readonly string[]) => {
    const verdicts = await scoreTexts({ classify }, texts, { concurrency: 2 });
    return {
      without: ratesOf(samples, verdicts.map(flaggedPlainly)),
      with: ratesOf(
        samples,
        verdicts.map(({ flagged }) => flagged),
      ),
    };
  };
  const disguised = new Map<Disguise, Awaited<ReturnType<typeof measure>>>();
  const plain = await measure(samples.map(({ text }) => text));
  for (const disguise of Object.keys(DISGUISES) as Disguise[]) {
    disguised.set(disguise, await measure(samples.map(({ text }) => DISGUISES[disguise](text, random))));
  }
  return { plain, disguised };
}

/** Whether the text flags as it came or normalised. */
function flaggedPlainly({ flagged, views }: ItemVerdict): boolean {
  if (views === undefined) return flagged;
  return views.some((view) => view.flagged && (view.view === 'normalized' || view.view === 'raw'));
}

function ratesOf(samples: readonly Sample[], flags: readonly boolean[]): Rates {
  const share = (unsafe: boolean) => {
    const own = flags.filter((_, index) => samples[index]?.unsafe === unsafe);
    return own.filter(Boolean).length / own.length;
  };
  return { recall: share(true), alarms: share(false) };
}

function report(
  cost: number,
  plain: { readonly without: Rates; readonly with: Rates },
  disguised: ReadonlyMap<Disguise, { readonly without: Rates; readonly with: Rates }>,
): void {
  const line = (name: string, { without, with: seen }: typeof plain) => {
    const cells = [without.recall, seen.recall, without.alarms, seen.alarms];
    print(`${name.padEnd(12)}${cells.map((cell) => percent(cell).padStart(14)).join('')}`);
  };
  print(
    `${''.padEnd(12)}${['recall without', 'with views', 'alarms without', 'with views'].map((head) => head.padStart(15)).join('')}`,
  );
  line('plain', plain);
  for (const [disguise, rates] of disguised) line(disguise, rates);
  const mean = (pick: (rates: typeof plain) => number) =>
    [...disguised.values()].reduce((sum, rates) => sum + pick(rates), 0) / disguised.size;
  line('mean', {
    without: { recall: mean((rates) => rates.without.recall), alarms: mean((rates) => rates.without.alarms) },
    with: { recall: mean((rates) => rates.with.recall), alarms: mean((rates) => rates.with.alarms) },
  });

  const loss = plain.with.recall - mean((rates) => rates.with.recall);
  const moreAlarms = plain.with.alarms - plain.without.alarms;
  print('');
  judge('cost of plain text', cost, BARS.cost);
  judge('recall lost in disguise', loss, BARS.recallLoss);
  judge('more alarms on plain text', moreAlarms, BARS.moreAlarms);
}

function judge(name: string, measured: number, bar: number): void {
  const met = measured <= bar;
  print(`${met ? 'met   ' : 'MISSED'} ${name}: ${percent(measured)}, bar ${percent(bar)}`);
  if (!met) process.exitCode = 1;
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
