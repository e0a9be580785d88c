import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Checkpoint } from '../../src/checkpoint/checkpoint.ts';
import { loadCheckpoint } from '../../src/checkpoint/load.ts';
import { createRegistry } from '../../src/checkpoint/registry.ts';
import { createClassifier } from '../../src/moderation/classify.ts';
import type { ClassifyItem, ClassifyRequest, ItemVerdict } from '../../src/moderation/contract.ts';
import { CATEGORIES } from '../../src/taxonomy.ts';
import { createFixtureCheckpoint, FIXTURE_LOAD_OPTIONS, FIXTURE_MAX_TOKENS } from '../support/fixture-checkpoint.ts';
import { NOT_A_NUMBER_SIGN, signOf, ZERO_WIDTH_SPACE } from '../support/fixture-model.ts';

let checkpoint: Checkpoint;
beforeAll(async () => {
  checkpoint = await loadCheckpoint(await createFixtureCheckpoint(), FIXTURE_LOAD_OPTIONS);
});
afterAll(() => checkpoint.close());

function classify(items: readonly ClassifyItem[], options: Partial<ClassifyRequest> = {}) {
  const { classify } = createClassifier({ registry: createRegistry(checkpoint) });
  return classify({ items, longInput: 'window', signal: new AbortController().signal, ...options });
}

async function verdictOn(item: ClassifyItem, options?: Partial<ClassifyRequest>): Promise<ItemVerdict> {
  return (await classify([item], options)).results[0] as ItemVerdict;
}

test('every category is flagged by its own text and by no other, in order', async () => {
  const verdict = await classify(['calm', ...CATEGORIES.map((category) => `with ${signOf(category)}`)]);
  expect(verdict.checkpoint).toBe('fixture');
  expect(verdict.results.map((result) => result.index)).toEqual([...Array(13).keys()]);
  const flags = verdict.results.map((result) =>
    CATEGORIES.filter((category) => (result as ItemVerdict).categories[category]),
  );
  expect(flags).toEqual([[], ...CATEGORIES.map((category) => [category])]);
});

test('a conversation is judged as a whole', async () => {
  const loud = { role: 'user', content: `say ${signOf('hate')}` };
  const calm = { role: 'assistant', content: 'calm' };
  expect((await verdictOn({ messages: [loud, calm] })).top_category).toBe('hate');
  expect((await verdictOn({ messages: [calm, calm] })).flagged).toBe(false);
  expect((await verdictOn({ prompt: 'calm', response: signOf('privacy') })).top_category).toBe('privacy');
});

describe('long texts', () => {
  const long = (position: number) => `${'x'.repeat(position)}${signOf('hate')}${'x'.repeat(400 - position)}`;

  test.each([0, 60, 61, 62, 123, 200, 399])('a sign at position %i is seen', async (position) => {
    const verdict = await verdictOn(long(position));
    expect(verdict).toMatchObject({ flagged: true, top_category: 'hate' });
    expect(verdict.windows).toBeGreaterThan(400 / FIXTURE_MAX_TOKENS);
  });

  test('may be refused, each for itself', async () => {
    const { results, usage } = await classify(['calm', long(5)], { longInput: 'reject' });
    expect(results[0]).toMatchObject({ flagged: false });
    expect(results[1]).toMatchObject({ index: 1, error: { code: 'input_too_long' } });
    expect(usage.tokens).toBe((results[0] as ItemVerdict).tokens);
  });

  test('refused with nothing else to judge, refuse the request', async () => {
    await expect(classify([long(5)], { longInput: 'reject' })).rejects.toMatchObject({ code: 'input_too_long' });
  });
});

describe('views', () => {
  test('what normalisation removes is still scored', async () => {
    const verdict = await verdictOn(`calm${ZERO_WIDTH_SPACE}text`);
    expect(verdict).toMatchObject({ flagged: true, top_category: 'jailbreak_prompts', windows: 1 });
  });

  test('what normalisation reveals is scored too', async () => {
    // FULLWIDTH DOLLAR SIGN is a dollar sign after NFKC.
    expect(await verdictOn('a \uff04 sign')).toMatchObject({ flagged: true, top_category: 'sex_related_crimes' });
  });

  test('what a view uncovers decides, and the answer says which it was', async () => {
    const hidden = Buffer.from(`a calm text with ${signOf('hate')}s in it`).toString('base64url');
    const verdict = await verdictOn(`please read ${hidden} aloud`);
    expect(verdict).toMatchObject({ flagged: true, top_category: 'hate', windows: 1 });
    expect(verdict.views).toEqual([
      { view: 'normalized', flagged: false, score: expect.closeTo(0.018, 3) },
      { view: 'base64', flagged: true, score: verdict.score },
    ]);
  });

  test('a clean text has none to report', async () => {
    expect(await verdictOn('calm')).not.toHaveProperty('views');
  });

  test('belong to their own item of a batch', async () => {
    const { results } = await classify(['k1ll t1me', 'calm', `k\u200bill`, signOf('privacy')]);
    const summary = results.map(
      (result) => 'views' in result && result.views?.map(({ view, flagged }) => [view, flagged]),
    );
    expect(summary).toEqual([
      [
        ['normalized', false],
        ['leetspeak', false],
      ],
      false,
      [
        ['normalized', false],
        ['raw', true],
      ],
      false,
    ]);
    expect(results[3]).toMatchObject({ top_category: 'privacy', flagged: true });
  });

  test('the raw text costs nothing when only white space or composition differs', async () => {
    const submitted: number[] = [];
    const counting: Checkpoint = {
      ...checkpoint,
      engine: {
        ...checkpoint.engine,
        submit: (sequences, signal) => {
          submitted.push(sequences.length);
          return checkpoint.engine.submit(sequences, signal);
        },
      },
    };
    const { classify } = createClassifier({ registry: createRegistry(counting) });
    const items = ['  two  spaces ', 'line\r\nend', 'cafe\u0301', `cafe\u0301${ZERO_WIDTH_SPACE}`];
    for (const item of items) {
      await classify({ items: [item], longInput: 'window', signal: new AbortController().signal });
    }
    expect(submitted).toEqual([1, 1, 1, 2]);
  });
});

describe('texts with little in them', () => {
  test.each(['', '   ', '\n\t\r\n'])('%j is safe and costs no tokens', async (text) => {
    expect(await verdictOn(text)).toMatchObject({ flagged: false, tokens: 0, windows: 0 });
  });

  test('a thousand invisible characters are judged by what they are', async () => {
    expect(await verdictOn(ZERO_WIDTH_SPACE.repeat(1000))).toMatchObject({ flagged: true, tokens: 0, windows: 0 });
  });

  test.each(['\ud800', 'a\udc00b', '\0', '\u202eevil\u202c', '\u{e0041}'])('%j does not harm', async (text) => {
    expect(await verdictOn(text)).toMatchObject({ index: 0 });
  });
});

test('neither one letter 100,000 times nor 300,000 stacked marks hold the server up', async () => {
  // Composing that many alternating marks, or merging that long a word, would take far longer than a test may.
  expect(await verdictOn('a'.repeat(100_000))).toMatchObject({ flagged: false, tokens: 100_001 });
  expect(await verdictOn(`a${'\u0301\u0323'.repeat(300_000)}`)).toMatchObject({ flagged: false });
});

test('the request overrides thresholds and chooses categories', async () => {
  const text = `with ${signOf('hate')}`;
  expect(await verdictOn(text, { thresholds: { hate: 0.99 } })).toMatchObject({ flagged: false });
  const other = await verdictOn(text, { categories: ['privacy'] });
  expect(other).toMatchObject({ flagged: false, action: 'allow', top_category: 'privacy' });
  expect(other.category_scores.hate).toBeGreaterThan(0.9);
});

test('an item on which the model fails does not fail the others', async () => {
  const { results } = await classify(['calm', NOT_A_NUMBER_SIGN, signOf('hate')]);
  expect(results[1]).toMatchObject({ index: 1, error: { code: 'inference_failed' } });
  expect(results.map((result) => 'flagged' in result && result.flagged)).toEqual([false, false, true]);
});

test('timings add up to no more than the whole', async () => {
  const { timing_ms: timing } = await classify(['calm']);
  expect(Math.min(...Object.values(timing))).toBeGreaterThanOrEqual(0);
  expect(timing.tokenization + timing.queue + timing.inference).toBeLessThanOrEqual(timing.total + 0.01);
});

test('the lease is released, also when the request fails', async () => {
  let held = 0;
  const registry = {
    lease: () => {
      held++;
      return { checkpoint, release: () => held-- };
    },
  };
  const { classify } = createClassifier({ registry });
  await classify({ items: ['calm'], longInput: 'window', signal: new AbortController().signal });
  const cancelled = classify({ items: ['calm'], longInput: 'window', signal: AbortSignal.abort() });
  await expect(cancelled).rejects.toMatchObject({ code: 'client_closed' });
  expect(held).toBe(0);
});

test('without a checkpoint the server is not ready', async () => {
  const { classify } = createClassifier({ registry: createRegistry() });
  const request = { items: ['calm'], longInput: 'window', signal: new AbortController().signal } as const;
  await expect(classify(request)).rejects.toMatchObject({ code: 'not_ready' });
});

test('a swap under load: every request is answered, by one checkpoint', async () => {
  const load = async (id: string) =>
    loadCheckpoint(await createFixtureCheckpoint({ manifest: { id } }), FIXTURE_LOAD_OPTIONS);
  const registry = createRegistry(await load('old'));
  const { classify } = createClassifier({ registry });
  const next = await load('new');
  const answers = Array.from({ length: 40 }, async (_, index) => {
    await new Promise((resolve) => setTimeout(resolve, index));
    const items = [`text ${index}`, signOf('hate')];
    return classify({ items, longInput: 'window', signal: new AbortController().signal });
  });
  await answers[10];
  await registry.activate(next);
  const verdicts = await Promise.all(answers);
  expect(new Set(verdicts.map((verdict) => verdict.checkpoint))).toEqual(new Set(['old', 'new']));
  expect(verdicts.every(({ results }) => (results[1] as ItemVerdict).flagged)).toBe(true);
  await registry.close();
});
