import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { Checkpoint } from '../../src/checkpoint/checkpoint.ts';
import { loadCheckpoint } from '../../src/checkpoint/load.ts';
import type { EncoderFiles, LongTexts } from '../../src/checkpoint/long-texts.ts';
import { createRegistry } from '../../src/checkpoint/registry.ts';
import { DuoguardError } from '../../src/errors.ts';
import { createClassifier } from '../../src/moderation/classify.ts';
import type { ClassifyRequest } from '../../src/moderation/contract.ts';
import { prepareLongItem } from '../../src/moderation/long-item.ts';
import { createLongTexts, spawnThread } from '../../src/moderation/long-text-thread.ts';
import { readUnderPolicy } from '../../src/moderation/policy-reading.ts';
import { prepareItem } from '../../src/moderation/prepare.ts';
import { parsePolicyFile } from '../../src/policy/policy-file.ts';
import type { PolicyRules } from '../../src/policy/rules.ts';
import { createFixtureCheckpoint, FIXTURE_LOAD_OPTIONS } from '../support/fixture-checkpoint.ts';
import { NOT_A_NUMBER_SIGN, signOf } from '../support/fixture-model.ts';
import { nastyText } from '../support/nasty-text.ts';

const RULES = parsePolicyFile(
  JSON.stringify({
    version: 1,
    policies: {
      default: { phrases: { deny: ['kill'], allow: ['bomb', 'him'] } },
      plain: {},
      closed: { on_failure: 'closed' },
      open: { on_failure: 'open' },
      'open-denies': { on_failure: 'open', phrases: { deny: ['kill'] } },
    },
  }),
  'policies.json',
);
const NO_PHRASES = { deny: [], allow: [] };
const never = new AbortController().signal;

let checkpoint: Checkpoint;
let files: EncoderFiles;
let texts: LongTexts;
beforeAll(async () => {
  checkpoint = await loadCheckpoint(await createFixtureCheckpoint(), {
    ...FIXTURE_LOAD_OPTIONS,
    longTexts(given) {
      files = given;
      texts = createLongTexts(given);
      return texts;
    },
  });
});
afterAll(() => checkpoint.close());

const cleanup: (() => unknown)[] = [];
afterEach(async () => {
  for (const step of cleanup.splice(0)) await step();
});

/** A thread that is watched: `started` are those that were begun, `asked` what they were sent. */
function createWatched(spawn: (files: EncoderFiles, index: number) => Worker = spawnThread, mostWaiting?: number) {
  const started: Worker[] = [];
  const asked: string[] = [];
  const long = createLongTexts(files, {
    from: 10,
    ...(mostWaiting === undefined ? {} : { mostWaiting }),
    spawn(given) {
      const thread = spawn(given, started.length);
      started.push(thread);
      const post = thread.postMessage.bind(thread);
      thread.postMessage = (order: { raw: string }) => {
        asked.push(order.raw);
        post(order);
      };
      return thread;
    },
  });
  cleanup.push(() => long.close());
  return { long, started, asked };
}

const crashing = () =>
  new Worker(`require('node:worker_threads').parentPort.on('message', () => process.exit(1))`, { eval: true });

function classifyWith(longTexts: LongTexts | undefined, request: Partial<ClassifyRequest>) {
  const registry = createRegistry({ ...checkpoint, longTexts });
  const { classify } = createClassifier({ registry, policies: { find: (name) => RULES.get(name) } });
  return classify({ items: [], longInput: 'window', signal: never, ...request });
}

describe('a text that is prepared in its thread', () => {
  const phrases = fc.constantFrom(NO_PHRASES, { deny: ['kill', 'bomb'], allow: ['him'] });

  test('is what it would be here, whatever it is', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(nastyText, { maxLength: 12 }), phrases, async (parts, phrases) => {
        const raw = parts.join(' ');
        const rules = { phrases } as PolicyRules;
        const read = readUnderPolicy(rules, raw);
        const here = prepareItem(raw, read.readings, checkpoint, 'window');
        const { item, denied } = await prepareLongItem(raw, rules, texts, 'window', never);
        expect(denied).toBe(read.denied);
        expect(item.sequences).toEqual(here.sequences);
        expect({ ...item, readings: [], readWindow: null }).toEqual({ ...here, readings: [], readWindow: null });
        expect(item.readings).toHaveLength(here.readings.length);
        for (const [index, { view, windows }] of here.readings.entries()) {
          expect(item.readings[index]).toEqual({ view, windows });
          const last = windows.length - 1;
          expect(await item.readWindow(index, last, never)).toEqual(here.readWindow(index, last));
        }
      }),
      { numRuns: 150 },
    );
  });

  test('is judged as it would be here, wherever a long text begins', async () => {
    const item = fc.oneof(
      nastyText,
      nastyText.map((text) => `${text}${signOf('hate')}${'words '.repeat(40)}${text}`),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(item, { minLength: 1, maxLength: 4 }), fc.nat(300), async (items, from) => {
        const request = { items, explain: true };
        const { timing_ms: _, ...here } = await classifyWith(undefined, request);
        const aside = await classifyWith({ ...texts, takes: (raw) => raw.length >= from }, request);
        expect(aside).toEqual({ ...here, timing_ms: aside.timing_ms });
      }),
      { numRuns: 60 },
    );
  });

  test.each([true, false])('is blocked by a denied phrase though the model fails on it: %s', async (long) => {
    const items = [`kill ${NOT_A_NUMBER_SIGN}`];
    const { results } = await classifyWith({ ...texts, takes: () => long }, { items, explain: true });
    expect(results).toMatchObject([{ flagged: true, action: 'block', denied_phrase: 0, spans: [] }]);
  });

  test('is refused as it would be here when it must not be windowed', async () => {
    const items = ['short', 'long '.repeat(100)];
    const { results } = await classifyWith({ ...texts, takes: () => true }, { items, longInput: 'reject' });
    const here = await classifyWith(undefined, { items, longInput: 'reject' });
    expect(results).toEqual(here.results);
    expect(results[1]).toMatchObject({ index: 1, error: { code: 'input_too_long' } });
  });
});

describe('the thread', () => {
  test('begins with the first long text and stays', async () => {
    const { long, started, asked } = createWatched();
    await classifyWith(long, { items: ['short'] });
    expect(started).toHaveLength(0);
    await classifyWith(long, { items: ['short', 'the first long one', 'the second long one'] });
    expect([started.length, asked]).toEqual([1, ['the first long one', 'the second long one']]);
  });

  test('leaves the server free for others', async () => {
    const { long } = createWatched();
    const order: string[] = [];
    const slow = classifyWith(long, { items: ['long '.repeat(20_000)] }).then(() => order.push('long'));
    await classifyWith(long, { items: ['short'] }).then(() => order.push('short'));
    await slow;
    expect(order).toEqual(['short', 'long']);
  });

  test('does not begin what nobody waits for any more, and goes on with the next', async () => {
    const { long, asked } = createWatched();
    const prepare = (raw: string, signal = never) =>
      long.prepare({ raw, phrases: NO_PHRASES, longInput: 'window' }, signal);
    const leaving = new AbortController();
    const [first, second, third, fourth] = [
      prepare('first', leaving.signal),
      prepare('second'),
      prepare('third', leaving.signal),
      prepare('the fourth'),
    ];
    const left = [first, third].map((text) => expect(text).rejects.toMatchObject({ code: 'client_closed' }));
    leaving.abort(new DuoguardError('client_closed'));
    await Promise.all(left);
    expect((await second).tokens).toBe(checkpoint.tokenizer.encode('second').length);
    expect((await fourth).tokens).toBe(checkpoint.tokenizer.encode('the fourth').length);
    expect(asked).toEqual(['first', 'second', 'the fourth']);
    await expect(prepare('fifth', leaving.signal)).rejects.toMatchObject({ code: 'client_closed' });
    expect(asked).toHaveLength(3);
  });

  test('ends a request whose time is over while it works', async () => {
    const { long } = createWatched();
    const deadline = new AbortController();
    const late = classifyWith(long, { items: ['long '.repeat(20_000)], signal: deadline.signal });
    const refused = expect(late).rejects.toMatchObject({ code: 'deadline_exceeded' });
    deadline.abort(new DuoguardError('deadline_exceeded'));
    await refused;
  });

  test('that ends by itself fails what it had, and is begun again for the next', async () => {
    const { long, started } = createWatched((given, index) => (index === 0 ? crashing() : spawnThread(given)));
    const items = ['the first long one', 'the second long one'];
    const { results } = await classifyWith(long, { items, policy: 'plain' });
    expect(results).toMatchObject([{ error: { code: 'worker_crashed' } }, { flagged: false }]);
    expect(results[0]).not.toHaveProperty('action');
    expect(started).toHaveLength(2);
  });

  test('that ends by itself leaves the text to the policy', async () => {
    const { long } = createWatched(crashing);
    const { results } = await classifyWith(long, { items: ['some long text'], policy: 'closed' });
    expect(results).toMatchObject([{ error: { code: 'worker_crashed' }, action: 'block' }]);
    const plain = classifyWith(long, { items: ['some long text'], policy: 'plain' });
    await expect(plain).rejects.toMatchObject({ code: 'worker_crashed' });
  });

  test('that cannot begin fails the text it was for, and is tried again for the next', async () => {
    const { long } = createWatched((given, index) => {
      if (index === 0 && !tried) {
        tried = true;
        throw new Error('no thread is left');
      }
      return spawnThread(given);
    });
    let tried = false;
    const items = ['the first long one', 'the second long one'];
    const { results } = await classifyWith(long, { items, policy: 'plain' });
    expect(results).toMatchObject([{ error: { code: 'worker_crashed' } }, { flagged: false }]);
  });

  test('outlives a mistake in preparing, which is told as it would be of a short text', async () => {
    const { long, started } = createWatched();
    const mistaken = { raw: 'a text', phrases: {} as PolicyRules['phrases'], longInput: 'window' } as const;
    await expect(long.prepare(mistaken, never)).rejects.toThrow(TypeError);
    await long.prepare({ ...mistaken, phrases: NO_PHRASES }, never);
    expect(started).toHaveLength(1);
  });

  test('refuses what would make too much wait, but takes any text while none waits', async () => {
    const { long, asked } = createWatched(spawnThread, 20);
    const prepare = (raw: string) => long.prepare({ raw, phrases: NO_PHRASES, longInput: 'window' }, never);
    const accepted = ['runs'.repeat(10), 'waits'.repeat(10)].map(prepare);
    await expect(prepare('x')).rejects.toMatchObject({ code: 'overloaded', details: { retryAfterSeconds: 1 } });
    const open = classifyWith(long, { items: ['some long text'], policy: 'open' });
    expect((await open).results).toMatchObject([{ error: { code: 'overloaded' }, action: 'allow' }]);
    await Promise.all(accepted);
    await prepare('x');
    expect(asked).toHaveLength(3);
  });

  test('lets nothing through in which no denied phrase could be looked for', async () => {
    const { long } = createWatched(crashing);
    const items = ['some long text'];
    const open = await classifyWith(long, { items, policy: 'open' });
    expect(open.results).toMatchObject([{ error: { code: 'worker_crashed' }, action: 'allow' }]);
    const denying = classifyWith(long, { items, policy: 'open-denies' });
    await expect(denying).rejects.toMatchObject({ code: 'worker_crashed' });
  });

  test('ends with its checkpoint, and whatever waits is refused', async () => {
    const { long, started } = createWatched();
    const order = { raw: 'a text', phrases: NO_PHRASES, longInput: 'window' } as const;
    const pending = [long.prepare(order, never), long.prepare(order, never)].map((text) =>
      expect(text).rejects.toMatchObject({ code: 'shutting_down' }),
    );
    const ended = once(started[0] as Worker, 'exit');
    await Promise.all([long.close(), ended, ...pending]);
    await expect(long.prepare(order, never)).rejects.toMatchObject({ code: 'shutting_down' });
    expect(started).toHaveLength(1);
  });
});
