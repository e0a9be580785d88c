import { execFileSync, spawn } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import autocannon from 'autocannon';
import { hashFile } from '../src/checkpoint/hash-file.ts';
import { readManifest } from '../src/checkpoint/read-manifest.ts';
import { resolveActive } from '../src/checkpoint/resolve.ts';
import { configSchema } from '../src/config/settings.ts';

/**
 * What does swapping cost those who are served meanwhile? Two checkpoints, the built server as a process of its own, a
 * steady load of a share of what it can serve: first quiet, then while one checkpoint replaces the other again and
 * again, without a pause. Client, server and workers share the cores of this machine.
 *
 * The second checkpoint is `--other`, or the first one under another id: with its tokenizer spelt differently, so that
 * nothing of it can be recognised and kept, or with `--same-tokenizer` just as it is.
 *
 * Bars: no failed request, no answer of another checkpoint than these; p99 over all requests at most twice the quiet
 * one; resident memory after the last swaps at most 10 % above that after the first 20.
 *
 *   npx tsx bench/swap.bench.ts [--swaps 200] [--load 0.4] [--seconds 30] [--workers 1]
 *     [--checkpoint ID|DIR] [--other ID|DIR | --same-tokenizer]
 */

const BARS = { failed: 0, p99Ratio: 2, growth: 1.1 };
const SETTLED_AFTER = 20;
const ADMIN = 'key-of-the-bench';
/** As `npm start` and the image set it: what is freed of a checkpoint goes back to the system. */
const ALLOCATOR = { MALLOC_MMAP_THRESHOLD_: '1048576', MALLOC_TRIM_THRESHOLD_: '8388608' };

const { values } = parseArgs({
  options: {
    checkpoint: { type: 'string', default: 'active' },
    swaps: { type: 'string', default: '200' },
    load: { type: 'string', default: '0.4' },
    seconds: { type: 'string', default: '30' },
    other: { type: 'string' },
    'same-tokenizer': { type: 'boolean', default: false },
    workers: { type: 'string', default: '1' },
  },
});
const swaps = Number(values.swaps);

await main();

async function main(): Promise<void> {
  execFileSync('npx', ['tsc', '-p', 'tsconfig.build.json'], { stdio: 'inherit' });
  const root = mkdtempSync(join(tmpdir(), 'duoguard-swap-'));
  await copyCheckpoints(root);
  const server = await startServer(root);
  try {
    await underLoad(server.url, undefined, () => sleep(3000));
    const most = await underLoad(server.url, undefined, () => sleep(4000));
    const capacity = most['2xx'] / most.duration;
    const rate = Math.round(Number(values.load) * capacity);
    console.log(`it can serve ${capacity.toFixed(0)} requests/s on 8 connections; the steady load is ${rate}\n`);
    await underLoad(server.url, rate, () => sleep(2000));
    const quiet = await underLoad(server.url, rate, () => sleep(Number(values.seconds) * 1000));
    const resident: number[] = [];
    const milliseconds: number[] = [];
    const swapping = await underLoad(server.url, rate, async () => {
      for (let swap = 0; swap < swaps; swap++) {
        const began = performance.now();
        await activate(server.url, swap % 2 === 0 ? 'two' : 'one');
        milliseconds.push(performance.now() - began);
        resident.push(residentMb(server.pid));
      }
    });
    report(quiet, swapping, resident, milliseconds);
  } finally {
    server.child.kill('SIGTERM');
    rmSync(root, { recursive: true, force: true });
  }
}

/** `one`, which is active, and `two`. */
async function copyCheckpoints(root: string): Promise<void> {
  const from = (id: string) => resolveActive(configSchema.parse({}).models_dir, id);
  const first = await from(values.checkpoint);
  await copyCheckpoint(first, join(root, 'one'));
  await copyCheckpoint(values.other === undefined ? first : await from(values.other), join(root, 'two'));
  if (values.other === undefined && !values['same-tokenizer']) await respellTokenizer(join(root, 'two'));
  writeFileSync(join(root, 'active.json'), JSON.stringify({ id: 'one' }));
}

/** Under the id that the directory says. The manifest is the one file that no hash covers. */
async function copyCheckpoint(source: string, directory: string): Promise<void> {
  const manifest = await readManifest(source);
  for (const path of Object.keys(manifest.files)) cpSync(join(source, path), join(directory, path));
  writeFileSync(join(directory, 'manifest.json'), JSON.stringify({ ...manifest, id: basename(directory) }));
}

async function respellTokenizer(directory: string): Promise<void> {
  const manifest = await readManifest(directory);
  const path = join(directory, manifest.tokenizer);
  writeFileSync(path, `${readFileSync(path, 'utf8')}\n`);
  const files = { ...manifest.files, [manifest.tokenizer]: await hashFile(path) };
  writeFileSync(join(directory, 'manifest.json'), JSON.stringify({ ...manifest, files }));
}

async function startServer(root: string) {
  const main = fileURLToPath(new URL('../dist/src/main.js', import.meta.url));
  const settings = ['--models-dir', root, '--state-dir', join(root, 'state'), '--workers', values.workers];
  const child = spawn(process.execPath, [main, ...settings], {
    env: {
      ...ALLOCATOR,
      PATH: process.env['PATH'],
      HOST: '127.0.0.1',
      PORT: '0',
      DUOGUARD_API_KEYS: `classify+admin=${ADMIN}`,
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const port = await new Promise<number>((resolve, reject) => {
    let text = '';
    child.once('exit', (code) => reject(new Error(`the server ended with ${code}: ${text}`)));
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      // The log of a whole bench is not worth its memory.
      if (text.length < 100_000) text += chunk;
      if (/"msg":"ready"/.test(text)) resolve(Number(/"port":(\d+),[^\n]*"msg":"listening"/.exec(text)?.[1]));
    });
  });
  return { child, pid: child.pid as number, url: `http://127.0.0.1:${port}` };
}

/** `rate`: requests a second; undefined for as many as there are answers. */
function underLoad(url: string, rate: number | undefined, work: () => Promise<void>): Promise<autocannon.Result> {
  return new Promise((resolve, reject) => {
    const load = autocannon(
      {
        url: `${url}/classify`,
        method: 'POST',
        connections: 8,
        ...(rate === undefined ? {} : { overallRate: rate }),
        verifyBody: (body) => /"checkpoint":"(one|two)"/.test(String(body)),
        duration: 86_400,
        headers: { 'content-type': 'application/json', authorization: `Bearer ${ADMIN}` },
        body: JSON.stringify({ input: 'Can you help me plan a quiet weekend trip for two people and a small dog?' }),
      },
      (error, result) => (error ? reject(error) : resolve(result)),
    );
    work().then(() => load.stop(), reject);
  });
}

async function activate(url: string, id: string): Promise<void> {
  const answer = await fetch(`${url}/v1/checkpoints/${id}/activate`, {
    method: 'POST',
    headers: { authorization: `Bearer ${ADMIN}` },
  });
  if (!answer.ok) throw new Error(`activating ${id}: ${answer.status} ${await answer.text()}`);
  await answer.arrayBuffer();
}

function residentMb(pid: number): number {
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024;
}

function report(
  quiet: autocannon.Result,
  swapping: autocannon.Result,
  resident: readonly number[],
  milliseconds: readonly number[],
): void {
  console.log(`${swaps} swaps, ${values.workers} worker, load average ${loadavg()[0]?.toFixed(1)}\n`);
  console.log('             requests   p50 ms   p99 ms   max ms');
  for (const [name, { latency, ...result }] of Object.entries({ quiet, swapping })) {
    const cells = [latency.p50, latency.p99, latency.max].map((value) => value.toFixed(0).padStart(8));
    console.log(`  ${name.padEnd(10)}${String(result['2xx']).padStart(9)} ${cells.join(' ')}`);
  }
  const half = [...milliseconds].sort((a, b) => a - b)[milliseconds.length >> 1] ?? Number.NaN;
  console.log(`\n  a swap takes ${half.toFixed(0)} ms (median)\n`);
  const failed = [quiet, swapping].reduce((sum, each) => sum + each.non2xx + each.errors + each.mismatches, 0);
  bar('failed requests', failed, 0, failed <= BARS.failed, 'none');
  const ratio = swapping.latency.p99 / quiet.latency.p99;
  bar('p99 / quiet p99', ratio, 2, ratio <= BARS.p99Ratio, `at most ${BARS.p99Ratio}`);
  if (resident.length <= 2 * SETTLED_AFTER) {
    console.log(`  resident MB after each swap: ${resident.map((mb) => mb.toFixed(0)).join(' ')}`);
    return;
  }
  const growth = mean(resident.slice(-SETTLED_AFTER)) / mean(resident.slice(SETTLED_AFTER, 2 * SETTLED_AFTER));
  bar('memory growth', growth, 3, growth <= BARS.growth, `at most ${BARS.growth}`);
}

function bar(name: string, value: number, digits: number, met: boolean, wanted: string): void {
  console.log(`${met ? 'met   ' : 'MISSED'} ${name.padEnd(18)} ${value.toFixed(digits).padStart(8)}   ${wanted}`);
  if (!met) process.exitCode = 1;
}

function mean(numbers: readonly number[]): number {
  return numbers.reduce((sum, value) => sum + value, 0) / numbers.length;
}

function sleep(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
