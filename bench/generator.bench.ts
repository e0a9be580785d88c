import { loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { readDataset } from '../training/data/dataset.ts';
import type { Candidate, GenerationTask, PreferencePair } from '../training/generator/contract.ts';
import { createRewriter } from '../training/generator/rewriter/rewriter.ts';

/**
 * How many candidates does the embedded generator write in a second, and how long does it learn from 2,000 pairs? Seeds
 * and lexicons are the shipped ones, the languages in turn. Bars: 500 candidates a second with their edit spaces, two
 * minutes for one epoch of preference optimisation; both of processor time, which other work on the machine doesn't
 * stretch, with the clock's time beside it. Pairs are random candidates: the work doesn't depend on which is better.
 *
 *   npx tsx bench/generator.bench.ts [--tasks 400] [--pairs 2000] [--threads 2]
 */

const LEAST_RATE = 500;
const MOST_SECONDS = 120;
const COUNT = 8;

const { values } = parseArgs({
  options: {
    tasks: { type: 'string', default: '400' },
    pairs: { type: 'string', default: '2000' },
    threads: { type: 'string', default: '2' },
  },
});

await main();

async function main(): Promise<void> {
  print(`load ${loadavg()[0]?.toFixed(1)} before`);
  const generator = await createRewriter({ threads: Number(values.threads) });
  const pairCount = Number(values.pairs);
  const tasks = await readTasks(Math.max(Number(values.tasks), pairCount));
  const sampling = { count: COUNT, temperature: 0.9, seed: 1 };

  await generator.generate(tasks.slice(0, 8), sampling);
  const measured = tasks.slice(0, Number(values.tasks));
  const writing = createStopwatch();
  const drawn = (await generator.generate(measured, sampling)).flat();
  const wrote = writing();
  const rate = drawn.length / wrote.processor;
  const slots = drawn.reduce((sum, { choices }) => sum + choices.length, 0) / drawn.length;
  print(`${drawn.length} candidates, ${slots.toFixed(1)} slots each, in ${showTime(wrote)}`);
  report('candidates a second', rate, `at least ${LEAST_RATE}`, rate >= LEAST_RATE);

  const pairs = toPairs(tasks.slice(0, pairCount), await generator.generate(tasks.slice(0, pairCount), sampling));
  const learning = createStopwatch();
  const figures = await generator.learn(pairs, {
    beta: 0.01,
    nllWeight: 0.4,
    learningRate: 1e-3,
    epochs: 1,
    batchPairs: 32,
    seed: 1,
  });
  const learned = learning();
  print(`${figures.pairs} pairs learned in ${showTime(learned)}`);
  report('seconds to learn', learned.processor, `at most ${MOST_SECONDS}`, learned.processor <= MOST_SECONDS);
  print(`load ${loadavg()[0]?.toFixed(1)} after`);
  await generator.release();
}

interface Time {
  /** Seconds of all threads of this process, and of the clock. */
  readonly processor: number;
  readonly clock: number;
}

function createStopwatch(): () => Time {
  const began = performance.now();
  const used = process.cpuUsage();
  return () => {
    const { user, system } = process.cpuUsage(used);
    return { processor: (user + system) / 1e6, clock: (performance.now() - began) / 1000 };
  };
}

function showTime({ processor, clock }: Time): string {
  return `${processor.toFixed(1)} s of processor, ${clock.toFixed(1)} s of clock`;
}

async function readTasks(count: number): Promise<GenerationTask[]> {
  const tasks: GenerationTask[] = [];
  for await (const { text, lang, unsafe, source } of (await readDataset('seeds:train')).rows()) {
    if (lang !== 'en') continue;
    const seed = { id: String(tasks.length), text, lang, unsafe, categories: null, source };
    tasks.push({ seed, lang: ['fr', 'es', 'de', 'en'][tasks.length % 4] as string });
    if (tasks.length === count) break;
  }
  return tasks;
}

/** Cycles through the tasks when there are fewer of them than pairs. */
function toPairs(tasks: readonly GenerationTask[], drawn: readonly (readonly Candidate[])[]): PreferencePair[] {
  return Array.from({ length: Number(values.pairs) }, (_, i) => {
    const [chosen, rejected] = drawn[i % tasks.length] as readonly Candidate[];
    return { task: tasks[i % tasks.length], chosen, rejected } as PreferencePair;
  });
}

function report(what: string, value: number, bar: string, met: boolean): void {
  print(`${met ? 'met   ' : 'MISSED'} ${what.padEnd(28)}${value.toFixed(1).padStart(10)}   ${bar}`);
  if (!met) process.exitCode = 1;
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
