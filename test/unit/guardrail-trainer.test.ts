import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type GuardrailConfig, guardrailConfigSchema } from '../../training/guardrail/config.ts';
import { type Corpus, CorpusBuilder } from '../../training/guardrail/corpus.ts';
import { loadRunState, saveRunState } from '../../training/guardrail/run-state.ts';
import { GuardrailTrainer, type TrainerState } from '../../training/guardrail/trainer.ts';
import { seededRandom } from '../../training/random.ts';
import { temporaryDirectory } from '../support/fixture-checkpoint.ts';
import { moments } from '../support/moments.ts';

const VOCABULARY = 300;
const BASE = {
  threads: 1,
  encoder: {
    vocabSize: VOCABULARY,
    ngrams: { buckets: 32 },
    embedding: 8,
    width: 8,
    layers: 1,
    heads: 2,
    feedForward: 16,
    maxTokens: 24,
  },
  characters: { buckets: 16 },
  clip: 1e6,
} as const;
/** Nothing is left to chance. */
const PLAIN = guardrailConfigSchema.parse({ ...BASE, dropout: 0, tokenDropout: 0, ngramDropout: 0 });
const DROPPING = guardrailConfigSchema.parse({ ...BASE, dropout: 0.3, tokenDropout: 0.2, ngramDropout: 0.3 });

const TOKENS = Array.from({ length: VOCABULARY }, (_, id) => `${'abc'[id % 3]}lorem${'xyz'[id % 7] ?? ''}`);

/** Rows of 1 to 20 tokens, so that batches pad; token ids below 100. */
const corpus = ((): Corpus => {
  const random = seededRandom(1);
  const builder = new CorpusBuilder();
  for (let row = 0; row < 24; row++) {
    const ids = Array.from({ length: 1 + ((row * 7) % 20) }, () => Math.floor(100 * random()));
    const categories = row % 3 === 0 ? [] : row % 3 === 1 ? [row % 12] : null;
    builder.add({ ids, unsafe: row % 3 > 0, categories, source: 'toy', lang: 'en' });
  }
  return builder.build();
})();
const rows = (from: number, to: number): Int32Array => Int32Array.from({ length: to - from }, (_, i) => from + i);

async function create(config: GuardrailConfig): Promise<GuardrailTrainer> {
  const trainer = await GuardrailTrainer.create(config, TOKENS);
  onTestFinished(() => trainer.release());
  return trainer;
}

const copy = ({ step, parameters, parameterOptimizer, table, tableOptimizer }: TrainerState): TrainerState => ({
  step,
  parameters: parameters.slice(),
  parameterOptimizer: structuredClone(parameterOptimizer),
  table: table.slice(),
  tableOptimizer: structuredClone(tableOptimizer),
});

/** Norm of the difference relative to the norm of the reference. */
function relative(actual: Float32Array, expected: Float32Array): number {
  return Math.hypot(...actual.map((value, i) => value - (expected[i] as number))) / Math.hypot(...expected);
}

describe('a step', () => {
  it('does not depend on how its rows are cut into micro-batches, nor on their order', async () => {
    const cuts = [[rows(0, 24)], [rows(0, 5), rows(5, 6), rows(6, 24)], [rows(12, 24).reverse(), rows(0, 12)]];
    const outcomes = [];
    for (const cut of cuts) {
      const trainer = await create(PLAIN);
      const result = await trainer.train(corpus, cut, 0.01);
      outcomes.push({ result, ...copy(trainer.state()) });
    }
    const [whole, ...others] = outcomes as [(typeof outcomes)[0], ...typeof outcomes];
    for (const { result, parameterOptimizer, tableOptimizer } of others) {
      expect(result.loss).toBeCloseTo(whole.result.loss, 4);
      expect(result.gradientNorm).toBeCloseTo(whole.result.gradientNorm, 4);
      expect(result.tokens).toBe(corpus.ids.length);
      // After one step the first moments are the gradients, scaled.
      expect(relative(moments(parameterOptimizer).mean, moments(whole.parameterOptimizer).mean)).toBeLessThan(1e-4);
      expect(relative(moments(tableOptimizer).mean, moments(whole.tableOptimizer).mean)).toBeLessThan(1e-4);
    }
  });

  it('is repeated to the bit from a restored state, dropout included', async () => {
    const trainer = await create(DROPPING);
    for (let step = 0; step < 3; step++) await trainer.train(corpus, [rows(0, 24)], 0.01);
    const kept = copy(trainer.state());
    const result = await trainer.train(corpus, [rows(4, 20)], 0.01);
    const after = copy(trainer.state());

    const resumed = await create(DROPPING);
    resumed.restore(kept);
    expect(await resumed.train(corpus, [rows(4, 20)], 0.01)).toEqual(result);
    expect(copy(resumed.state())).toEqual(after);
  });

  it('drops other values in each step', async () => {
    const trainer = await create(DROPPING);
    const losses = new Set<number>();
    for (let step = 0; step < 4; step++) losses.add((await trainer.train(corpus, [rows(0, 24)], 0)).loss);
    expect(losses.size).toBe(4);
  });

  it('reports the norm before clipping and moves by the clipped gradient', async () => {
    const [free, clipped] = [await create(PLAIN), await create({ ...PLAIN, clip: 0.01 })];
    const [a, b] = [
      await free.train(corpus, [rows(0, 24)], 0.01),
      await clipped.train(corpus, [rows(0, 24)], 0.01),
    ] as const;
    expect(b.gradientNorm).toBe(a.gradientNorm);
    expect(a.gradientNorm).toBeGreaterThan(0.01);
    const norm = ({ parameterOptimizer, tableOptimizer }: TrainerState): number =>
      Math.hypot(...moments(parameterOptimizer).mean, ...moments(tableOptimizer).mean);
    expect(norm(clipped.state()) / norm(free.state())).toBeCloseTo(0.01 / a.gradientNorm, 4);
  });

  it('leaves the table rows of tokens that do not occur as they are to the bit', async () => {
    const trainer = await create(PLAIN);
    const before = trainer.table.values.slice();
    await trainer.train(corpus, [rows(0, 24)], 0.01);
    const { embedding } = PLAIN.encoder;
    const [from, to] = [100 * embedding, VOCABULARY * embedding];
    expect(trainer.table.values.subarray(from, to)).toEqual(before.subarray(from, to));
    expect(trainer.table.values.subarray(0, from)).not.toEqual(before.subarray(0, from));
  });
});

describe('a trainer with accelerated SGD', () => {
  const config = guardrailConfigSchema.parse({ ...BASE, dropout: 0, optimizer: { method: 'asgd' } });
  const step = (trainer: GuardrailTrainer) => trainer.train(corpus, [rows(0, corpus.offsets.length - 1)], 0.05);

  it('lowers the loss, and goes on from a saved state to the bit', async () => {
    const trainer = await create(config);
    const { loss: first } = await step(trainer);
    for (let i = 0; i < 20; i++) await step(trainer);
    const path = join(temporaryDirectory(), 'state.bin');
    saveRunState(path, 'this run', trainer.state());
    const other = await create(config);
    other.restore(loadRunState(path, 'this run') as TrainerState);
    const [own, again] = [await step(trainer), await step(other)];
    expect(own.loss).toBeLessThan(0.8 * first);
    expect(again).toEqual(own);
    expect(other.state()).toEqual(trainer.state());
  });
});
