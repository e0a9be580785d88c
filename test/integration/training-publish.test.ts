import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, onTestFinished, test } from 'vitest';
import { loadCheckpoint } from '../../src/checkpoint/load.ts';
import { guardrailConfigSchema } from '../../training/guardrail/config.ts';
import { type RunResult, trainGuardrail } from '../../training/guardrail/run.ts';
import { FIXTURE_LOAD_OPTIONS, temporaryDirectory } from '../support/fixture-checkpoint.ts';

/** Wide enough that table and products are stored in int8, and so short that canaries need several windows. */
const CONFIG = guardrailConfigSchema.parse({
  threads: 1,
  encoder: {
    vocabSize: 360,
    ngrams: { buckets: 1_000 },
    embedding: 32,
    width: 32,
    layers: 1,
    heads: 2,
    feedForward: 32,
    maxTokens: 24,
  },
  characters: { buckets: 64 },
  rowsPerEpoch: 400,
  epochs: 1,
  batchTokens: 512,
  batchRows: 32,
  learningRate: 0.01,
});

const directory = temporaryDirectory();
const models = join(directory, 'models');
let result: RunResult;

beforeAll(async () => {
  const data = join(directory, 'toy.jsonl');
  const rows = Array.from({ length: 800 }, (_, i) => ({
    text: `${i % 2 === 1 ? 'zorbat' : 'garden'} by river ${i}`,
    unsafe: i % 2 === 1,
    lang: 'en',
    ...(i % 2 === 1 ? { categories: ['hate'] } : {}),
  }));
  writeFileSync(data, rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
  result = await trainGuardrail({
    config: CONFIG,
    data: [data],
    text: [],
    runDirectory: join(directory, 'run'),
    resume: false,
    id: 'short',
    modelsDirectory: models,
    activate: true,
    keepFloat: true,
    saveEvery: 600,
    log: () => {},
  });
});

test('a model with shorter windows than the canaries is published with scores that serving reproduces', async () => {
  const checkpoint = await loadCheckpoint(join(models, 'short'), FIXTURE_LOAD_OPTIONS);
  onTestFinished(() => checkpoint.close());
  const { manifest, tokenizer } = checkpoint;
  const longest = Math.max(...manifest.canaries.map(({ text }) => tokenizer.encode(text).length));
  expect(longest).toBeGreaterThan(2 * manifest.max_tokens);
});

test('the served model is int8 and loses nothing that counts; the float one lies beside it when asked for', async () => {
  const { auprc_float, auprc_int8 } = result.figures;
  expect(auprc_float).toBeGreaterThan(0.9);
  expect(Math.abs(auprc_float - auprc_int8)).toBeLessThan(0.02);
  const checkpoint = await loadCheckpoint(join(models, 'short'), FIXTURE_LOAD_OPTIONS);
  onTestFinished(() => checkpoint.close());
  const { files, model, model_float } = checkpoint.manifest;
  const bytes = (name: string | undefined): number => files[name as string]?.bytes as number;
  expect(bytes(model)).toBeLessThan(0.5 * bytes(model_float));
});
