import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { DuoguardError } from '../../src/errors.ts';
import type { BatchMeasurement, Engine } from '../../src/inference/engine.ts';
import { createEngine, type EngineOptions } from '../../src/inference/pool.ts';
import { type FakeWorker, fakeSpawn } from '../support/fake-worker.ts';

const never = new AbortController().signal;
const of = (id: number, length = 4) => new Int32Array(length).fill(id);

async function startEngine(options: Partial<EngineOptions> = {}): Promise<{ engine: Engine; workers: FakeWorker[] }> {
  const { spawn, workers } = fakeSpawn();
  const engine = await createEngine({
    model: new SharedArrayBuffer(0),
    provider: 'cpu',
    workers: 1,
    intraOpThreads: 1,
    maxSequenceTokens: 64,
    maxBatchTokens: 256,
    maxBatchSequences: 8,
    padId: 0,
    queue: { maxSequences: 16, maxTokens: 10_000 },
    spawn,
    ...options,
  });
  onTestFinished(async () => {
    let closed = false;
    const closing = engine.close().then(() => {
      closed = true;
    });
    while (!closed) {
      for (const worker of workers) if (worker.running) worker.finish();
      await settle();
    }
    await closing;
  });
  return { engine, workers };
}

/** Lets promises and messages settle. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await nextTurn();
}

const firstIds = (worker: FakeWorker | undefined, batch: number) => worker?.batches[batch]?.map((ids) => ids[0]);

async function scoreOf(scored: ReturnType<Engine['submit']>): Promise<number | string> {
  const [score] = (await scored).scores;
  return score instanceof DuoguardError ? score.code : Math.round((score?.[0] ?? Number.NaN) * 1000);
}

test('a lone request runs in the same turn; what arrives meanwhile makes the next batch', async () => {
  const { engine, workers } = await startEngine();
  const first = engine.submit([of(1)], never);
  expect(firstIds(workers[0], 0)).toEqual([1]);
  const others = [2, 3, 4].map((id) => engine.submit([of(id)], never));
  expect(engine.stats()).toMatchObject({ queuedSequences: 3, queuedTokens: 12, workersBusy: 1 });
  workers[0]?.finish();
  expect(await scoreOf(first)).toBe(1);
  await settle();
  expect(firstIds(workers[0], 1)).toEqual([2, 3, 4]);
  workers[0]?.finish();
  expect(await Promise.all(others.map(scoreOf))).toEqual([2, 3, 4]);
});

test('idle workers share what arrives', async () => {
  const { engine, workers } = await startEngine({ workers: 2 });
  const both = [engine.submit([of(1)], never), engine.submit([of(2)], never)];
  expect([firstIds(workers[0], 0), firstIds(workers[1], 0)]).toEqual([[1], [2]]);
  for (const worker of workers) worker.finish();
  expect(await Promise.all(both.map(scoreOf))).toEqual([1, 2]);
});

test('a worker that falls free takes its share of what waits and leaves the rest to the others', async () => {
  const { engine, workers } = await startEngine({ workers: 2 });
  for (let id = 1; id <= 10; id++) void engine.submit([of(id)], never);
  workers[0]?.finish();
  await settle();
  const taken = workers[0]?.batches[1]?.length as number;
  expect(taken).toBeGreaterThanOrEqual(4);
  expect(taken).toBeLessThanOrEqual(6);
  expect(engine.stats().queuedSequences).toBe(8 - taken);
});

test('the scores of a request keep the order of its sequences, across batches and length buckets', async () => {
  const { engine, workers } = await startEngine();
  const scored = engine.submit([of(5, 60), of(6, 3), of(7, 60), of(8, 3)], never);
  for (let batch = 0; batch < 4; batch++) {
    await settle();
    if (workers[0]?.running) workers[0].finish();
  }
  const scores = (await scored).scores.map((score) => Math.round((score as Float32Array)[0]! * 1000));
  expect(scores).toEqual([5, 6, 7, 8]);
});

test('a full queue refuses a request as a whole and says when to retry', async () => {
  const { engine } = await startEngine({ queue: { maxSequences: 2, maxTokens: 10_000 } });
  for (const id of [1, 2, 3]) void engine.submit([of(id)], never);
  await expect(engine.submit([of(4), of(5)], never)).rejects.toMatchObject({
    code: 'overloaded',
    details: { retryAfterSeconds: 1 },
  });
  expect(engine.stats().queuedSequences).toBe(2);
});

test.each([
  ['a client that left', undefined, 'client_closed'],
  ['a deadline', new DOMException('', 'TimeoutError'), 'deadline_exceeded'],
  ['a reason of our own', new DuoguardError('shutting_down'), 'shutting_down'],
])('%s drops what waits before it runs', async (_, reason, code) => {
  const { engine, workers } = await startEngine();
  const running = engine.submit([of(1)], never);
  const controller = new AbortController();
  const waiting = engine.submit([of(2)], controller.signal);
  controller.abort(reason);
  await expect(waiting).rejects.toMatchObject({ code });
  expect(engine.stats()).toMatchObject({ queuedSequences: 0, queuedTokens: 0 });
  workers[0]?.finish();
  await running;
  await settle();
  expect(workers[0]?.batches).toHaveLength(1);
});

test('a request that is cancelled already never enters the queue', async () => {
  const { engine, workers } = await startEngine();
  await expect(engine.submit([of(1)], AbortSignal.abort())).rejects.toMatchObject({ code: 'client_closed' });
  expect(workers[0]?.batches).toEqual([]);
});

test('a crashed worker is replaced and its requests run again, each alone', async () => {
  let restarts = 0;
  const { engine, workers } = await startEngine({ observer: { workerRestarted: () => restarts++ } });
  void engine.submit([of(9)], never);
  const both = [engine.submit([of(1)], never), engine.submit([of(2)], never)];
  workers[0]?.finish();
  await settle();
  expect(firstIds(workers[0], 1)).toEqual([1, 2]);
  workers[0]?.crash();
  await settle();
  expect(workers).toHaveLength(2);
  expect(firstIds(workers[1], 0)).toEqual([1]);
  workers[1]?.finish();
  await settle();
  expect(firstIds(workers[1], 1)).toEqual([2]);
  workers[1]?.finish();
  expect(await Promise.all(both.map(scoreOf))).toEqual([1, 2]);
  expect(restarts).toBe(1);
});

test('a request whose worker crashes twice fails; its neighbour does not', async () => {
  const { engine, workers } = await startEngine();
  void engine.submit([of(9)], never);
  const [bad, good] = [engine.submit([of(1)], never), engine.submit([of(2)], never)];
  workers[0]?.finish();
  await settle();
  workers[0]?.crash();
  await settle();
  workers[1]?.crash();
  await settle();
  workers[2]?.finish();
  expect(await scoreOf(bad)).toBe('worker_crashed');
  expect(await scoreOf(good)).toBe(2);
});

test('a request on which the model fails is run once more and then fails, without a new worker', async () => {
  const { engine, workers } = await startEngine();
  const scored = engine.submit([of(1)], never);
  workers[0]?.fail();
  await settle();
  expect(workers[0]?.batches).toHaveLength(2);
  workers[0]?.fail();
  expect(await scoreOf(scored)).toBe('inference_failed');
  expect(workers).toHaveLength(1);
});

test('what was cancelled while running is not run again after a crash', async () => {
  const { engine, workers } = await startEngine();
  const controller = new AbortController();
  const scored = engine.submit([of(1)], controller.signal);
  controller.abort();
  await expect(scored).rejects.toMatchObject({ code: 'client_closed' });
  workers[0]?.crash();
  await settle();
  expect(workers[1]?.batches).toEqual([]);
});

test('scores that are not numbers are a failure, not a low score', async () => {
  const { engine, workers } = await startEngine();
  const scored = engine.submit([of(1)], never);
  const finish = workers[0]?.finish.bind(workers[0]);
  (workers[0]?.batches[0] as number[][])[0] = [Number.NaN];
  finish?.();
  expect(await scoreOf(scored)).toBe('inference_failed');
});

test('close refuses new work, finishes what was accepted and ends the workers', async () => {
  const { engine, workers } = await startEngine();
  const accepted = [engine.submit([of(1)], never), engine.submit([of(2)], never)];
  let closed = false;
  const closing = engine.close().then(() => {
    closed = true;
  });
  await expect(engine.submit([of(3)], never)).rejects.toMatchObject({ code: 'shutting_down' });
  workers[0]?.finish();
  await settle();
  expect(closed).toBe(false);
  workers[0]?.finish();
  expect(await Promise.all(accepted.map(scoreOf))).toEqual([1, 2]);
  await closing;
  expect(engine.stats().workersReady).toBe(0);
});

test('batches are measured with their padding', async () => {
  const measured: BatchMeasurement[] = [];
  const { engine, workers } = await startEngine({ observer: { batch: (batch) => measured.push(batch) } });
  void engine.submit([of(9, 10)], never);
  void engine.submit([of(1, 10), of(2, 8)], never);
  workers[0]?.finish();
  await settle();
  workers[0]?.finish();
  await settle();
  expect(measured).toEqual([
    { sequences: 1, tokens: 10, paddedTokens: 10, inferenceMs: 1 },
    { sequences: 2, tokens: 18, paddedTokens: 20, inferenceMs: 1 },
  ]);
});

test.each([0, 65])('a sequence of %i tokens is a bug of the caller', async (length) => {
  const { engine } = await startEngine();
  await expect(engine.submit([of(1, length)], never)).rejects.toThrow(RangeError);
});

test('a request without sequences is answered at once', async () => {
  const { engine } = await startEngine();
  expect((await engine.submit([], never)).scores).toEqual([]);
});

test('an engine whose longest sequence exceeds the batch budget does not start', async () => {
  await expect(startEngine({ maxBatchTokens: 63 })).rejects.toMatchObject({ code: 'invalid_config' });
});
