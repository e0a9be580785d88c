import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { Agent, type IncomingMessage, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import type { Checkpoint } from '../src/checkpoint/checkpoint.ts';
import { loadCheckpoint } from '../src/checkpoint/load.ts';
import { createRegistry } from '../src/checkpoint/registry.ts';
import { resolveActive } from '../src/checkpoint/resolve.ts';
import { configSchema } from '../src/config/settings.ts';
import { createClassifier } from '../src/moderation/classify.ts';
import { createStreamClassifier } from '../src/moderation/stream.ts';
import { holdCheckpoint } from '../src/moderation/stream-tenure.ts';
import { StreamWindows, textOf } from '../src/moderation/stream-windows.ts';
import { countingTokens, type TokenCounter } from '../src/moderation/token-counter.ts';
import { startServer } from '../src/serve.ts';
import { createLogger } from '../src/telemetry/logger.ts';

/**
 * What does it cost to judge a text while it arrives?
 *
 *   latency   a chunk's last delta is sent over HTTP, until its verdict is back; beside it POST /classify of the same
 *             window, which needs a request for each chunk. Each after a pause as between the tokens of a model, so that
 *             neither waits for what came before
 *   work      tokens that the model ran over and the time for all, for texts of growing length: the stream, the whole
 *             text at once, and (worked out) everything so far again for each chunk
 *
 * Bars: the median latency of a chunk is at most that of the request; the tokens of a stream are the same share of its
 * text whatever its length, within 10 %, and at most (chunk + context) / chunk of it with 15 % for cutting between words.
 *
 *   npx tsx bench/stream.bench.ts [--checkpoint ID|DIR] [--chunks 200] [--chunk-tokens 64] [--context-tokens 64]
 */

const BARS = { latency: 1, growth: 1.1, overhead: 1.15 };
/** Streams and requests take turns, so that what else the machine does meets both. */
const ROUNDS = 4;
const PAUSE_MS = 2;
const LENGTHS = [512, 2048, 8192];

const { values } = parseArgs({
  options: {
    checkpoint: { type: 'string', default: 'active' },
    chunks: { type: 'string', default: '200' },
    'chunk-tokens': { type: 'string', default: '64' },
    'context-tokens': { type: 'string', default: '64' },
  },
});
const chunkTokens = Number(values['chunk-tokens']);
const contextTokens = Number(values['context-tokens']);
const defaults = configSchema.parse({});

const WORDS = 'the answer to your question depends on where you live and how much time you want to spend on it'.split(
  ' ',
);

/** Deltas as a language model writes them: a word with the space before it. */
function delta(index: number): string {
  return ` ${WORDS[(index * 7 + (index >> 4)) % WORDS.length]}`;
}

await main();

async function main(): Promise<void> {
  const directory = resolve(await resolveActive(defaults.models_dir, values.checkpoint));
  const checkpoint = await loadCheckpoint(directory, {
    provider: defaults.provider,
    workers: 1,
    intraOpThreads: defaults.intra_op_threads,
    maxBatchTokens: defaults.max_batch_tokens,
    maxBatchSequences: defaults.max_batch_requests,
    queue: { maxSequences: defaults.queue_size, maxTokens: defaults.queue_tokens },
  });
  try {
    await measureLatency(directory, planChunks(countingTokens(checkpoint), Number(values.chunks)));
    await measureWork(checkpoint);
  } finally {
    await checkpoint.close();
  }
}

interface PlannedChunk {
  /** The last of them completes the chunk. */
  readonly deltas: readonly string[];
  readonly window: string;
}

function planChunks({ count }: TokenCounter, chunks: number): PlannedChunk[] {
  const windows = new StreamWindows(count, { chunkTokens, contextTokens });
  const plan: PlannedChunk[] = [];
  let deltas: string[] = [];
  for (let index = 0; plan.length < chunks; index++) {
    deltas.push(delta(index));
    windows.push(delta(index));
    const window = windows.next();
    if (window === undefined) continue;
    plan.push({ deltas, window: textOf([...window.context, ...window.chunk]) });
    deltas = [];
  }
  return plan;
}

async function measureLatency(directory: string, plan: readonly PlannedChunk[]): Promise<void> {
  const stateDir = mkdtempSync(join(tmpdir(), 'duoguard-bench-'));
  const config = configSchema.parse({
    host: '127.0.0.1',
    port: 0,
    checkpoint: directory,
    workers: 1,
    state_dir: stateDir,
    stream_timeout_ms: 3_600_000,
  });
  const server = await startServer(config, createLogger('silent', { write: () => {} }), 'bench');
  try {
    await server.ready;
    await streamChunks(server.port, plan);
    await classifyEach(server.port, plan);
    const times = { 'chunk of a stream': [] as number[], 'request per chunk': [] as number[] };
    for (let round = 0; round < ROUNDS; round++) {
      times['chunk of a stream'].push(...(await streamChunks(server.port, plan)));
      times['request per chunk'].push(...(await classifyEach(server.port, plan)));
    }
    console.log(`${ROUNDS} times ${plan.length} chunks of ${chunkTokens} tokens, with ${contextTokens} before them\n`);
    console.log('                       p50 ms   p99 ms');
    for (const [name, each] of Object.entries(times)) {
      console.log(`  ${name.padEnd(18)} ${cell(quantile(each, 0.5), 2)} ${cell(quantile(each, 0.99), 2)}`);
    }
    const share = quantile(times['chunk of a stream'], 0.5) / quantile(times['request per chunk'], 0.5);
    bar('p50 stream / request', share.toFixed(2), share <= BARS.latency, `at most ${BARS.latency}`);
  } finally {
    await server.stop();
    rmSync(stateDir, { recursive: true, force: true });
  }
}

/** One stream: sends the deltas of a chunk, waits for its verdict, goes on. Milliseconds from the last delta on. */
async function streamChunks(port: number, plan: readonly PlannedChunk[]): Promise<number[]> {
  const path = `/classify/stream?chunk_tokens=${chunkTokens}&context_tokens=${contextTokens}`;
  const sending = request({ port, path, method: 'POST', headers: { 'content-type': 'text/plain' } });
  sending.setNoDelay(true);
  sending.flushHeaders();
  const [response] = (await once(sending, 'response')) as [IncomingMessage];
  const events = createInterface({ input: response })[Symbol.asyncIterator]();
  const times: number[] = [];
  for (const { deltas } of plan) {
    for (const text of deltas.slice(0, -1)) sending.write(text);
    await sleep(PAUSE_MS);
    const sent = performance.now();
    sending.write(deltas.at(-1));
    const { value } = await nextVerdict(events);
    times.push(performance.now() - sent);
    if (value === undefined) throw new Error('the stream ended early');
  }
  sending.end();
  while (!(await events.next()).done);
  return times;
}

/** Flags are not waited for. */
async function nextVerdict(events: AsyncIterator<string>): Promise<{ value: string | undefined }> {
  for (;;) {
    const { done, value } = await events.next();
    if (done) return { value: undefined };
    if (value.startsWith('{"event":"error"')) throw new Error(value);
    if (value.startsWith('{"event":"verdict"')) return { value };
  }
}

async function classifyEach(port: number, plan: readonly PlannedChunk[]): Promise<number[]> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const times: number[] = [];
  for (const { window } of plan) {
    await sleep(PAUSE_MS);
    const sent = performance.now();
    const sending = request({
      port,
      agent,
      path: '/classify',
      method: 'POST',
      headers: { 'content-type': 'application/json' },
    });
    sending.end(JSON.stringify({ input: window }));
    const [response] = (await once(sending, 'response')) as [IncomingMessage];
    response.resume();
    await once(response, 'end');
    times.push(performance.now() - sent);
    if (response.statusCode !== 200) throw new Error(`status ${response.statusCode}`);
  }
  agent.destroy();
  return times;
}

async function measureWork(checkpoint: Checkpoint): Promise<void> {
  let scored = 0;
  const counting: Checkpoint = {
    ...checkpoint,
    engine: {
      ...checkpoint.engine,
      submit: (sequences, signal) => {
        scored += sequences.reduce((sum, ids) => sum + ids.length, 0);
        return checkpoint.engine.submit(sequences, signal);
      },
    },
  };
  const registry = createRegistry(counting);
  const counter = countingTokens(checkpoint);
  const classifier = createClassifier({ registry });
  const { classifyStream } = createStreamClassifier({ begin: () => holdCheckpoint({ registry }) });
  const { signal } = new AbortController();
  const measured = async (work: () => Promise<unknown>) => {
    scored = 0;
    const began = performance.now();
    await work();
    return { tokens: scored, ms: performance.now() - began };
  };

  console.log('\n               stream              whole text at once    everything again for each chunk');
  console.log('    tokens     tokens       ms     tokens       ms       tokens');
  const shares: number[] = [];
  for (const length of LENGTHS) {
    const deltas: string[] = [];
    while (counter.count(deltas.join('')) < length)
      for (let more = 0; more < 16; more++) deltas.push(delta(deltas.length));
    const tokens = counter.count(deltas.join(''));
    const stream = await measured(async () => {
      const events = classifyStream(from(deltas), { chunkTokens, contextTokens }, { longInput: 'window' }, signal);
      for await (const _ of events);
    });
    const whole = await measured(() => classifier.classify({ items: [deltas.join('')], longInput: 'window', signal }));
    const chunks = Math.ceil(tokens / chunkTokens);
    const again = (chunks * (chunks + 1) * chunkTokens) / 2;
    shares.push(stream.tokens / tokens);
    const row = [tokens, stream.tokens, stream.ms, whole.tokens, whole.ms];
    console.log(`  ${row.map((value) => cell(value, 0)).join(' ')}     ${cell(again, 0)}`);
  }
  const growth = Math.max(...shares) / Math.min(...shares);
  const most = ((chunkTokens + contextTokens) / chunkTokens) * BARS.overhead;
  bar('most / least share', growth.toFixed(2), growth <= BARS.growth, `at most ${BARS.growth}`);
  bar(
    'tokens scored / text',
    Math.max(...shares).toFixed(2),
    Math.max(...shares) <= most,
    `at most ${most.toFixed(2)}`,
  );
}

async function* from(deltas: readonly string[]): AsyncGenerator<string> {
  yield* deltas;
}

function quantile(times: readonly number[], q: number): number {
  return [...times].sort((a, b) => a - b)[Math.floor(q * (times.length - 1))] ?? Number.NaN;
}

function cell(value: number, digits: number): string {
  return value.toFixed(digits).padStart(8);
}

function bar(name: string, value: string, met: boolean, wanted: string): void {
  console.log(`${met ? 'met   ' : 'MISSED'} ${name.padEnd(22)} ${value.padStart(9)}   ${wanted}`);
  if (!met) process.exitCode = 1;
}
