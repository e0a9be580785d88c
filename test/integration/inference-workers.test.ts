import { expect, onTestFinished, test } from 'vitest';
import type { DuoguardError } from '../../src/errors.ts';
import { createEngine, type EngineOptions } from '../../src/inference/pool.ts';
import { spawnWorker, type WorkerPort } from '../../src/inference/worker-thread.ts';
import { CATEGORIES } from '../../src/taxonomy.ts';
import { FIRST_BYTE_ID } from '../../training/tokenizer/template.ts';
import { FIXTURE_LOAD_OPTIONS } from '../support/fixture-checkpoint.ts';
import { expectedScores, fixtureModel, NOT_A_NUMBER_SIGN, signOf, VOCABULARY } from '../support/fixture-model.ts';

const never = () => new AbortController().signal;

async function startEngine(options: Partial<EngineOptions> = {}) {
  const bytes = fixtureModel();
  const model = new SharedArrayBuffer(bytes.length);
  new Uint8Array(model).set(bytes);
  const workers: WorkerPort[] = [];
  const engine = await createEngine({
    ...FIXTURE_LOAD_OPTIONS,
    model,
    maxSequenceTokens: 512,
    padId: 0,
    spawn: (start) => {
      const worker = spawnWorker(start);
      workers.push(worker);
      return worker;
    },
    ...options,
  });
  onTestFinished(() => engine.close());
  return { engine, workers };
}

const encode = (text: string) => Int32Array.from(Buffer.from(text), (byte) => FIRST_BYTE_ID + byte);

test('texts of many lengths, submitted together, each get their own scores', async () => {
  const { engine } = await startEngine({ workers: 2 });
  const texts = Array.from(
    { length: 120 },
    (_, index) => `${'x'.repeat((index * 37) % 400)}${signOf(CATEGORIES[index % CATEGORIES.length] as 'hate')}`,
  );
  const scored = await Promise.all(texts.map((text) => engine.submit([encode(text)], never())));
  for (const [index, text] of texts.entries()) {
    const expected = expectedScores(text);
    const actual = scored[index]?.scores[0] as Float32Array;
    for (const [label, score] of actual.entries()) expect(score).toBeCloseTo(expected[label] as number, 5);
  }
});

test('requests survive the end of their worker thread', async () => {
  let restarts = 0;
  const { engine, workers } = await startEngine({ observer: { workerRestarted: () => restarts++ } });
  const scored = Array.from({ length: 20 }, (_, index) => engine.submit([encode(`text ${index}`)], never()));
  // Not `terminate`: onnxruntime-node 1.30 aborts the whole process when its thread is ended inside a run.
  workers[0]?.postMessage(null);
  for (const { scores } of await Promise.all(scored)) expect(scores[0]).toBeInstanceOf(Float32Array);
  expect(restarts).toBe(1);
});

test('a sequence that the model cannot take fails alone', async () => {
  const { engine } = await startEngine();
  const blocker = engine.submit([encode('first')], never());
  const [bad, good] = await Promise.all([
    engine.submit([Int32Array.of(VOCABULARY + 1, 7)], never()),
    engine.submit([encode('ok')], never()),
    blocker,
  ]);
  expect((bad.scores[0] as DuoguardError).code).toBe('inference_failed');
  expect(good.scores[0]).toBeInstanceOf(Float32Array);
});

test('a model that gives no number has failed', async () => {
  const { engine } = await startEngine();
  const { scores } = await engine.submit([encode(NOT_A_NUMBER_SIGN)], never());
  expect((scores[0] as DuoguardError).code).toBe('inference_failed');
});
