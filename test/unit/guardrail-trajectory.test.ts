import { readFileSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { CATEGORIES } from '../../src/taxonomy.ts';
import { guardrailConfigSchema } from '../../training/guardrail/config.ts';
import { type Corpus, CorpusBuilder } from '../../training/guardrail/corpus.ts';
import { GuardrailTrainer } from '../../training/guardrail/trainer.ts';
import { seededRandom } from '../../training/random.ts';

/**
 * The losses of a short run, pinned: what changes them changes every training result. To pin anew after an intended
 * change: UPDATE_PINNED=1 npx vitest run test/unit/guardrail-trajectory.test.ts
 */
const PINNED = new URL('./pinned/guardrail-trajectory.json', import.meta.url);
const STEPS = 20;
const ROWS = 64;
const VOCABULARY = 300;

test('a run goes the pinned way', async () => {
  const losses = { bce: await lossesOf('bce'), mcc: await lossesOf('mcc') };
  if (process.env['UPDATE_PINNED']) writeFileSync(PINNED, `${JSON.stringify(losses, null, 2)}\n`);
  const pinned = JSON.parse(readFileSync(PINNED, 'utf8')) as typeof losses;
  for (const name of ['bce', 'mcc'] as const) {
    expect(pinned[name]).toHaveLength(STEPS);
    for (const [step, loss] of losses[name].entries()) {
      const expected = pinned[name][step] as number;
      expect(Math.abs(loss / expected - 1), `${name}, step ${step}: ${loss}, pinned ${expected}`).toBeLessThan(1e-3);
    }
    expect(losses[name].at(-1)).toBeLessThan(0.9 * (losses[name][0] as number));
  }
});

/** Everything that takes part in a step is on: n-grams, character n-grams, all dropouts, two micro-batches, clipping. */
async function lossesOf(loss: 'bce' | 'mcc'): Promise<number[]> {
  const config = guardrailConfigSchema.parse({
    threads: 1,
    loss,
    encoder: {
      vocabSize: VOCABULARY,
      ngrams: { buckets: 64 },
      embedding: 16,
      width: 16,
      layers: 2,
      heads: 2,
      feedForward: 32,
      maxTokens: 16,
    },
    characters: { buckets: 64 },
  });
  const letters = 'abcdefghij';
  const tokens = Array.from({ length: VOCABULARY }, (_, id) =>
    [...String(id)].map((digit) => letters[Number(digit)]).join(''),
  );
  const corpus = syntheticCorpus();
  const trainer = await GuardrailTrainer.create(config, tokens);
  const losses: number[] = [];
  for (let step = 0; step < STEPS; step++) {
    const rows = Int32Array.from({ length: 16 }, (_, i) => (step * 16 + i) % ROWS);
    losses.push((await trainer.train(corpus, [rows.subarray(0, 10), rows.subarray(10)], 0.01)).loss);
  }
  await trainer.release();
  return losses;
}

/** Half safe; of the unsafe, every fourth in a category nobody named. The category shows in the row's second token. */
function syntheticCorpus(): Corpus {
  const random = seededRandom(11);
  const builder = new CorpusBuilder();
  for (let row = 0; row < ROWS; row++) {
    const unsafe = row % 2 === 1;
    const category = (row >> 1) % CATEGORIES.length;
    const ids = Array.from({ length: 4 + Math.floor(random() * 12) }, () => 50 + Math.floor(random() * 250));
    if (unsafe) ids[1] = 10 + category;
    builder.add({
      ids,
      unsafe,
      categories: unsafe ? (row % 8 === 7 ? null : [category]) : [],
      source: 'synthetic',
      lang: 'en',
    });
  }
  return builder.build();
}
