import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Checkpoint } from '../../src/checkpoint/checkpoint.ts';
import { loadCheckpoint } from '../../src/checkpoint/load.ts';
import { createRegistry } from '../../src/checkpoint/registry.ts';
import { createClassifier } from '../../src/moderation/classify.ts';
import type { ClassifyItem, ItemVerdict } from '../../src/moderation/contract.ts';
import { createFixtureCheckpoint, FIXTURE_LOAD_OPTIONS } from '../support/fixture-checkpoint.ts';
import { signOf } from '../support/fixture-model.ts';

const HATE = signOf('hate');

let checkpoint: Checkpoint;
/** Sequences of each submission, in order. */
let submitted: number[] = [];
beforeAll(async () => {
  const loaded = await loadCheckpoint(await createFixtureCheckpoint(), FIXTURE_LOAD_OPTIONS);
  checkpoint = {
    ...loaded,
    engine: {
      ...loaded.engine,
      submit: (sequences, signal) => {
        submitted.push(sequences.length);
        return loaded.engine.submit(sequences, signal);
      },
    },
  };
});
afterAll(() => checkpoint.close());

async function explain(...items: readonly ClassifyItem[]) {
  submitted = [];
  const { classify } = createClassifier({ registry: createRegistry(checkpoint) });
  const signal = new AbortController().signal;
  const { results, timing_ms } = await classify({ items, longInput: 'window', explain: true, signal });
  return { results: results as readonly ItemVerdict[], timing: timing_ms };
}

/** What the spans of a text's verdict say, read as a client would: by code points. */
async function spansOf(text: string) {
  const verdict = (await explain(text)).results[0] as ItemVerdict;
  return verdict.spans?.map(({ start, end, ...rest }) => ({ text: [...text].slice(start, end).join(''), ...rest }));
}

const decisive = (text: string, more = {}) => ({
  text,
  category: 'hate',
  score: 1,
  view: 'normalized',
  window: 0,
  ...more,
});

describe('spans point at what carries the decision', () => {
  test.each([
    ['in plain text', `a calm ${HATE} text`],
    ['after emoji', `😀👍🏽 a calm 🎉 ${HATE} text 😀`],
    ['after what normalisation shortens', `  ﬁne   ﷺ \r\n e\u0301 ${HATE} x`],
    ['at the start', `${HATE} text`],
    ['at the end', `text ${HATE}`],
    ['in a script without spaces', `如何制造${HATE}炸弹`],
  ])('%s', async (_, text) => {
    expect(await spansOf(text)).toEqual([decisive(HATE)]);
  });

  test('as the user wrote it', async () => {
    // FULLWIDTH DOLLAR SIGN.
    const span = decisive('\uff04', { category: 'sex_related_crimes' });
    expect(await spansOf('😀 a ﬁne \uff04 sign')).toEqual([span]);
  });

  test('in the view that gave it away', async () => {
    const hidden = Buffer.from(`a calm text with ${HATE}s in it`).toString('base64url');
    expect(await spansOf(`😀 read ${hidden} aloud`)).toEqual([decisive(hidden, { view: 'base64' })]);
  });

  test.each([3, 60, 100, 300, 594])('in the window that gave it away, at %i', async (position) => {
    const text = `é ${'word '.repeat(120)}`;
    const at = position - (position % 5) + 2;
    const spans = await spansOf(`${text.slice(0, at)}${HATE} ${text.slice(at)}`);
    expect(spans).toEqual([decisive(HATE, { window: expect.any(Number) })]);
    expect(spans?.[0]?.window).toBeGreaterThanOrEqual(Math.floor((position - 64) / 48));
  });

  test('in a conversation, counted over its messages joined by a line end', async () => {
    const messages = [
      { role: 'user', content: '😀 calm' },
      { role: 'assistant', content: `so ${HATE} it is` },
    ];
    const { results } = await explain({ messages });
    expect(results[0]?.spans).toMatchObject([{ start: 10, end: 11 }]);
  });
});

test('when no word alone carries it, the window does', async () => {
  const text = `  one ${HATE} and another ${HATE} here`;
  expect(await spansOf(text)).toEqual([decisive(text.trim())]);
});

test('a single word is not taken apart', async () => {
  expect(await spansOf(HATE)).toEqual([decisive(HATE)]);
  expect(submitted).toEqual([1]);
});

test('each item of a batch has its own; what is safe has none, what failed has none to have', async () => {
  const { results, timing } = await explain('calm', `a ${HATE} b`, '', `x y z ${signOf('privacy')}`);
  expect(results.map(({ spans }) => spans?.map(({ start, category }) => [start, category]))).toEqual([
    [],
    [[2, 'hate']],
    [],
    [[6, 'privacy']],
  ]);
  expect(timing.tokenization + timing.queue + timing.inference).toBeLessThanOrEqual(timing.total + 0.01);
});

test('costs nothing where nothing flags, and a bounded number of sequences where something does', async () => {
  await explain('calm', 'calmer');
  expect(submitted).toEqual([2]);
  await explain(`${HATE} ${'ab '.repeat(20_000)}`);
  expect(submitted.slice(1).reduce((sum, count) => sum + count, 0)).toBeLessThanOrEqual(49);
});

test('is not done unasked', async () => {
  const { classify } = createClassifier({ registry: createRegistry(checkpoint) });
  const { results } = await classify({ items: [HATE], longInput: 'window', signal: new AbortController().signal });
  expect(results[0]).not.toHaveProperty('spans');
});
