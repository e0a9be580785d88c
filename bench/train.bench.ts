import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { CATEGORIES } from '../src/taxonomy.ts';
import { gradients } from '../training/graph/autodiff.ts';
import { Graph, type Parameter } from '../training/graph/graph.ts';
import { toOnnx } from '../training/graph/lower.ts';
import type { OnnxModel } from '../training/graph/onnx.ts';
import { cast, mul, reshape, sub } from '../training/graph/ops.ts';
import { GraphSession, toTensor } from '../training/graph/session.ts';
import type { Tensor } from '../training/graph/tensor.ts';
import { EmbeddingTable } from '../training/models/embedding-table.ts';
import { addPositions, attentionPooling, block, layerNorm, linear } from '../training/models/layers.ts';
import { gradientName, ParameterSet } from '../training/models/parameters.ts';
import { Scope } from '../training/models/scope.ts';
import { MULTILABEL_LOSSES } from '../training/objectives/multilabel.ts';
import * as adamw from '../training/optimizers/adamw.ts';
import { seededRandom } from '../training/random.ts';

/**
 * How many tokens does a training step take in a second, against PyTorch on the same encoder, batches and threads?
 * A step is forward, backward and AdamW. Both engines live through the whole run and take turns, round by round; the
 * other one waits. Bar: the median round is at least 1.3 times PyTorch's. Without PyTorch only our side is measured.
 *
 *   npx tsx bench/train.bench.ts [--rounds 5] [--steps 10] [--threads 2] [--python FILE]
 */

const BAR = 1.3;
/** One core with a tuned BLAS gives several times as much. */
const SLOW_BLAS_GFLOPS = 8;
const ROWS = 32;
const TOKENS = 64;
const ENCODER = {
  vocabulary: 24_000,
  tokens: TOKENS,
  width: 256,
  layers: 4,
  heads: 8,
  feed_forward: 1024,
  outputs: CATEGORIES.length,
};
const LEARNING_RATE = 3e-4;
const OPTIMIZER: adamw.AdamwConfig = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0.01 };

interface Batch {
  readonly ids: Int32Array;
  readonly targets: Float32Array;
}

interface Round {
  readonly seconds: number;
  readonly loss: number;
}

/** An engine under measurement. */
interface Side {
  readonly name: string;
  readonly parameters: number;
  run(steps: number): Promise<Round>;
  stop(): Promise<void>;
}

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    steps: { type: 'string', default: '10' },
    threads: { type: 'string', default: '2' },
    python: { type: 'string' },
  },
});
const steps = Number(values.steps);
const threads = Number(values.threads);

await main();

async function main(): Promise<void> {
  const batches = createBatches(8);
  const ours = await startOurs(batches);
  const torch = await startTorch(batches);
  const sides = torch ? [ours, torch] : [ours];
  if (torch && torch.parameters !== ours.parameters) {
    throw new Error(`the encoders differ: ${ours.parameters} and ${torch.parameters} parameters`);
  }
  const rates = new Map(sides.map(({ name }) => [name, [] as number[]]));
  const losses = new Map<string, number>();
  for (const side of sides) await side.run(3);
  for (let round = 0; round < Number(values.rounds); round++) {
    for (const side of sides) {
      const { seconds, loss } = await side.run(steps);
      rates.get(side.name)?.push((steps * ROWS * TOKENS) / seconds);
      losses.set(side.name, loss);
    }
  }
  await Promise.all(sides.map((side) => side.stop()));
  report(ours, torch, rates, losses);
}

/** Token ids with natural frequencies: few common ones, many rare ones. */
function createBatches(count: number): readonly Batch[] {
  const random = seededRandom(1);
  return Array.from({ length: count }, () => ({
    ids: Int32Array.from(
      { length: ROWS * TOKENS },
      () => Math.floor(ENCODER.vocabulary ** random()) % ENCODER.vocabulary,
    ),
    targets: Float32Array.from({ length: ROWS * ENCODER.outputs }, () => (random() < 0.1 ? 1 : 0)),
  }));
}

function encoderGraph(): { model: OnnxModel; parameters: readonly Parameter[] } {
  const { width, layers, heads, outputs } = ENCODER;
  const graph = new Graph();
  const scope = new Scope(graph);
  const embedded = graph.input('embedded', 'float32', ['B', 'T', width]);
  const mask = graph.input('attention_mask', 'int32', ['B', 'T']);
  const targets = graph.input('targets', 'float32', ['B', outputs]);
  const known = graph.input('known', 'float32', ['B']);
  const weight = graph.input('weight', 'float32', ['B']);
  const bias = reshape(mul(sub(1, cast(mask, 'float32')), -1e4), ['B', 1, 1, 'T']);
  const shape = { heads, feedForward: ENCODER.feed_forward, outDeviation: 1 / Math.sqrt(2 * layers * width) };
  const placed = addPositions(scope.at('positions'), embedded, TOKENS);
  let x: Tensor = layerNorm(scope.at('embedding_norm'), reshape(placed, ['N', width]));
  for (let i = 0; i < layers; i++) x = block(scope.at(`layer${i}`), x, bias, shape);
  const pooled = attentionPooling(scope.at('pooling'), layerNorm(scope.at('final_norm'), x), bias, heads);
  const logits = linear(scope.at('head'), pooled, outputs);
  const loss = MULTILABEL_LOSSES.bce(logits, { targets, known, weight });
  const wrt = [embedded, ...graph.parameters.map(({ tensor }) => tensor)];
  const derived = gradients(graph, loss, wrt).map((tensor, i) => [gradientName((wrt[i] as Tensor).name), tensor]);
  return { model: toOnnx(graph, { outputs: { loss, ...Object.fromEntries(derived) } }), parameters: graph.parameters };
}

async function startOurs(batches: readonly Batch[]): Promise<Side> {
  const { width, vocabulary, outputs } = ENCODER;
  const graph = encoderGraph();
  const session = await GraphSession.create(graph.model, { threads });
  const dense = new ParameterSet(graph.parameters, 1);
  const table = new EmbeddingTable(vocabulary, width);
  table.initialise(seededRandom(1), 0.02);
  let optimizer = adamw.init(dense.values.length);
  let step = 0;

  const loss = new Float32Array(1);
  const embedded = new Float32Array(ROWS * TOKENS * width);
  const dOut = new Float32Array(embedded.length);
  const feeds = {
    ...dense.feeds,
    embedded: toTensor(embedded, [ROWS, TOKENS, width]),
    attention_mask: toTensor(new Int32Array(ROWS * TOKENS).fill(1), [ROWS, TOKENS]),
    known: toTensor(new Float32Array(ROWS).fill(1), [ROWS]),
    weight: toTensor(new Float32Array(ROWS).fill(1 / ROWS), [ROWS]),
  };
  const into = {
    ...dense.gradientOutputs,
    loss: toTensor(loss, []),
    [gradientName('embedded')]: toTensor(dOut, [ROWS, TOKENS, width]),
  };

  async function trainStep({ ids, targets }: Batch): Promise<void> {
    table.lookup(ids, 1, embedded);
    await session.run({ ...feeds, targets: toTensor(targets, [ROWS, outputs]) }, into);
    optimizer = adamw.update(OPTIMIZER, optimizer, dense.values, dense.gradients, dense.decay, LEARNING_RATE);
    table.apply(OPTIMIZER, table.gradient([{ indices: ids, dOut }], 1), LEARNING_RATE);
  }

  return {
    name: 'duoguard',
    parameters: dense.values.length + table.values.length,
    async run(count) {
      const began = performance.now();
      for (let i = 0; i < count; i++) await trainStep(batches[step++ % batches.length] as Batch);
      return { seconds: (performance.now() - began) / 1000, loss: loss[0] as number };
    },
    stop: () => session.release(),
  };
}

async function startTorch(batches: readonly Batch[]): Promise<Side | undefined> {
  const python = findTorch();
  if (python === undefined) return undefined;
  const settings = {
    threads,
    rows: ROWS,
    encoder: ENCODER,
    learningRate: LEARNING_RATE,
    weightDecay: OPTIMIZER.weightDecay,
    batches: batches.map(({ ids, targets }) => ({ ids: [...ids], targets: [...targets] })),
  };
  const script = fileURLToPath(new URL('train_torch.py', import.meta.url));
  const child = spawn(python, [script], { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const ask = async (question: string): Promise<unknown> => {
    child.stdin.write(`${question}\n`);
    const { value, done } = await lines.next();
    if (done) throw new Error('PyTorch ended before its answer');
    return JSON.parse(value);
  };
  const ready = (await ask(JSON.stringify(settings))) as { version: string; parameters: number; gflops: number };
  const { version, parameters, gflops } = ready;
  print(`PyTorch ${version} multiplies matrices at ${gflops.toFixed(0)} GFLOP/s`);
  if (gflops < SLOW_BLAS_GFLOPS) {
    child.kill();
    print('that is a reference BLAS, against which a comparison says nothing (Debian: apt install libopenblas0)');
    return undefined;
  }
  return {
    name: `PyTorch ${version}`,
    parameters,
    run: async (count) => (await ask(String(count))) as Round,
    async stop() {
      child.stdin.end();
      await once(child, 'close');
    },
  };
}

/** The given interpreter, else the first that imports torch. */
function findTorch(): string | undefined {
  for (const python of values.python === undefined ? ['python3', '/usr/bin/python3'] : [values.python]) {
    try {
      execFileSync(python, ['-c', 'import torch'], { stdio: ['ignore', 'ignore', 'pipe'] });
      return python;
    } catch (error) {
      const { stderr, message } = error as Error & { stderr?: Buffer };
      print(`no PyTorch from ${python}: ${(stderr?.toString().trim() || message).split('\n').at(-1)}`);
    }
  }
  return undefined;
}

function report(
  ours: Side,
  torch: Side | undefined,
  rates: ReadonlyMap<string, readonly number[]>,
  losses: ReadonlyMap<string, number>,
): void {
  print(`${(ours.parameters / 1e6).toFixed(1)} M parameters, batch ${ROWS} x ${TOKENS}, ${threads} threads\n`);
  print('                        tokens/s     slowest     fastest   last loss');
  for (const [name, measured] of rates) {
    const columns = [median(measured), Math.min(...measured), Math.max(...measured)].map((n) => n.toFixed(0));
    const cells = [...columns, losses.get(name)?.toFixed(3) ?? ''].map((cell) => cell.padStart(12));
    print(`  ${name.padEnd(18)}${cells.join('')}`);
  }
  if (!torch) {
    print('\nnot compared with PyTorch (Debian: apt install python3-torch libopenblas0)');
    return;
  }
  const ratio = median(rates.get(ours.name) ?? []) / median(rates.get(torch.name) ?? []);
  const met = ratio >= BAR;
  print(`\n${met ? 'met   ' : 'MISSED'} ${ours.name} / PyTorch   ${ratio.toFixed(2)}   at least ${BAR}`);
  if (!met) process.exitCode = 1;
}

function median(numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[numbers.length >> 1] as number;
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
