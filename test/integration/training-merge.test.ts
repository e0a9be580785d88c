import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, onTestFinished, test } from 'vitest';
import { createSaliency } from '../../bench/saliency.ts';
import { encodeWindows } from '../../src/checkpoint/encode.ts';
import { loadCheckpoint } from '../../src/checkpoint/load.ts';
import { guardrailConfigSchema } from '../../training/guardrail/config.ts';
import { mergeGuardrails } from '../../training/guardrail/merge.ts';
import { trainGuardrail } from '../../training/guardrail/run.ts';
import { FIXTURE_LOAD_OPTIONS, temporaryDirectory } from '../support/fixture-checkpoint.ts';
import { TOY_SETTINGS, toyRows } from '../support/toy-guardrail.ts';

const directory = temporaryDirectory();
const models = join(directory, 'models');
const runs = ['first', 'second'].map((id) => join(directory, id));

beforeAll(async () => {
  const data = join(directory, 'toy.jsonl');
  writeFileSync(data, toyRows(1000));
  const shapes = [{}, { layers: 0, embedding: 8 }];
  let tokenizer: string | undefined;
  for (const [index, shape] of shapes.entries()) {
    await trainGuardrail({
      config: guardrailConfigSchema.parse({
        ...TOY_SETTINGS,
        seed: index + 1,
        encoder: { ...TOY_SETTINGS.encoder, ...shape },
      }),
      data: [data],
      text: [],
      ...(tokenizer === undefined ? {} : { tokenizer }),
      runDirectory: runs[index]!,
      resume: false,
      id: `member-${index}`,
      modelsDirectory: models,
      activate: false,
      keepFloat: false,
      saveEvery: 600,
      log: () => {},
    });
    tokenizer = join(runs[0]!, 'tokenizer.json');
  }
});

function merge(id: string, of: readonly string[] = runs) {
  return mergeGuardrails({ runs: of, id, modelsDirectory: models, activate: false, keepFloat: false, log: () => {} });
}

async function logits(id: string, text: string): Promise<number[]> {
  const checkpoint = await loadCheckpoint(join(models, id), FIXTURE_LOAD_OPTIONS);
  onTestFinished(() => checkpoint.close());
  const sequences = encodeWindows(checkpoint, checkpoint.tokenizer.encode(text));
  const { scores } = await checkpoint.engine.submit(sequences, new AbortController().signal);
  return Array.from(scores[0] as Float32Array, (p) => Math.log(p / (1 - p)));
}

/** log Σ eˢ */
function evidence(values: readonly number[]): number {
  return Math.log(values.reduce((sum, value) => sum + Math.exp(value), 0));
}

test('a merged checkpoint scores with the mean of its members and is calibrated anew', async () => {
  const figures = await merge('merged');
  expect(figures.auprc_int8).toBeGreaterThan(0.95);
  const manifest = JSON.parse(readFileSync(join(models, 'merged', 'manifest.json'), 'utf8'));
  expect(manifest.training.member_configs).toMatchObject([{ seed: 1 }, { seed: 2 }]);
  expect(readFileSync(join(models, 'merged', 'README.md'), 'utf8')).toContain('the mean of 2 encoders');
  expect(manifest.architecture.encoders).toMatchObject([{ layers: 1 }, { layers: 0 }]);

  const text = 'the old friend sings zorbat near a green river';
  const raw = await Promise.all(
    ['member-0', 'member-1'].map(async (id) => {
      const raised = await logits(id, text);
      const lift = evidence(raised) - Math.max(...raised);
      return raised.map((value) => value - lift);
    }),
  );
  const mean = raw[0]!.map((value, c) => (value + raw[1]![c]!) / 2);
  const lift = evidence(mean) - Math.max(...mean);
  const merged = await logits('merged', text);
  for (const [c, value] of mean.entries()) expect(merged[c]).toBeCloseTo(value + lift, 1);
});

test.each(['member-0', 'explained'])('what the tokens carry adds up to what the logit of %s gains', async (id) => {
  if (id === 'explained') await merge(id);
  const checkpoint = await loadCheckpoint(join(models, id), FIXTURE_LOAD_OPTIONS);
  onTestFinished(() => checkpoint.close());
  const saliency = await createSaliency(join(models, id), checkpoint.manifest);
  onTestFinished(() => saliency.release());
  const label = checkpoint.manifest.labels.indexOf('hate');

  const measure = async (text: string) => {
    const [window] = encodeWindows(checkpoint, checkpoint.tokenizer.encode(text)) as [Int32Array];
    // So many points because the norms bend sharply near zero.
    const carried = await saliency.attribute(window, label, 8192);
    const sum = carried.reduce((total, value) => total + value);
    return { tokens: window.length, sum, logit: (await logits(id, text))[label]! };
  };
  // Completeness (arXiv 1703.01365, proposition 1) between two texts of as many tokens, whose zero vectors score alike.
  const unsafe = await measure('the friend sings zorbat near a river');
  const safe = await measure('the friend sings apple near a river');
  expect(unsafe.tokens).toBe(safe.tokens);
  expect(unsafe.logit - safe.logit).toBeGreaterThan(2);
  expect(unsafe.sum - safe.sum).toBeCloseTo(unsafe.logit - safe.logit, 1);
});

test('runs that do not fit together are refused by name', async () => {
  await expect(merge('alone', [runs[0]!])).rejects.toThrow('takes two runs or more');
  await expect(merge('absent', [runs[0]!, join(directory, 'none')])).rejects.toThrow(/none holds no run: config\.json/);

  const other = join(directory, 'other');
  cpSync(runs[1]!, other, { recursive: true });
  const settings = JSON.parse(readFileSync(join(other, 'config.json'), 'utf8'));
  writeFileSync(join(other, 'config.json'), JSON.stringify({ ...settings, data: ['elsewhere.jsonl'] }));
  await expect(merge('mixed', [runs[0]!, other])).rejects.toThrow(/other has other data than the first run/);

  writeFileSync(join(other, 'config.json'), JSON.stringify({ ...settings, config: { ...settings.config, epochs: 9 } }));
  await expect(merge('early', [runs[0]!, other])).rejects.toThrow(/stands at step \d+ of \d+: finish it with --resume/);
});
