import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DuoguardError } from '../../src/errors.ts';
import type { ClassifyRequest, StreamEvent, StreamSettings, Verdict } from '../../src/moderation/contract.ts';
import { createStreamClassifier } from '../../src/moderation/stream.ts';
import { lengthOf, type StreamWindow, StreamWindows, textOf } from '../../src/moderation/stream-windows.ts';
import { holdNothing } from '../support/app-under-test.ts';
import { createClassifierDouble, verdictFor, waitForAbort } from '../support/classifier-double.ts';

/** As a byte-level tokenizer counts text it does not know. */
const countBytes = (text: string) => Buffer.byteLength(text);

/** Half a character is none. */
function wellFormed(text: string): string {
  return text.replace(/\p{Surrogate}/gu, '\ufffd');
}

/** Cut anywhere, also within a character. */
function cut(text: string, positions: readonly number[]): string[] {
  const sorted = [...new Set(positions.map((position) => position % (text.length + 1)))].sort((a, b) => a - b);
  return [0, ...sorted].map((start, index) => text.slice(start, sorted[index] ?? text.length));
}

function windowsOf(deltas: readonly string[], chunkTokens: number, contextTokens: number): StreamWindow[] {
  const windows = new StreamWindows(countBytes, { chunkTokens, contextTokens });
  const found: StreamWindow[] = [];
  const take = () => {
    for (let window = windows.next(); window !== undefined; window = windows.next()) found.push(window);
  };
  for (const delta of deltas) {
    windows.push(delta);
    take();
  }
  windows.end();
  take();
  return found;
}

const texts = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 300 }),
  fc
    .array(fc.constantFrom('a', 'word', ' ', '\n', '漢字', '😀', '\ud83d', '\udc00', 'x'.repeat(70)), { maxLength: 80 })
    .map((parts) => parts.join('')),
);
const sizes = fc.tuple(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 0, max: 40 }));

describe('windows of a stream', () => {
  it('are the same however the text was cut, and judge every character once', () => {
    fc.assert(
      fc.property(texts, fc.array(fc.nat()), sizes, (text, positions, [chunk, context]) => {
        const windows = windowsOf(cut(text, positions), chunk, context);
        expect(windows).toEqual(windowsOf([text], chunk, context));
        expect(windows.map((window) => textOf(window.chunk)).join('')).toBe(wellFormed(text));
      }),
    );
  });

  it('have no more tokens than asked for, unless one character has, and see what came before', () => {
    fc.assert(
      fc.property(texts, sizes, (text, [chunk, context]) => {
        const points = Array.from(wellFormed(text));
        for (const window of windowsOf([text], chunk, context)) {
          const alone = window.chunk.length === 1 && window.chunk[0]?.length === 1;
          expect(alone || countBytes(textOf(window.chunk)) <= chunk).toBe(true);
          expect(countBytes(textOf(window.context))).toBeLessThanOrEqual(context);
          const seen = textOf(window.context);
          expect(points.slice(window.start - lengthOf(window.context), window.start).join('')).toBe(seen);
        }
      }),
    );
  });

  it('keep words whole', () => {
    const deltas = ['Some', 'bo', 'dy said', ' some', 'thing'];
    expect(windowsOf(deltas, 10, 0).map((window) => textOf(window.chunk))).toEqual(['Somebody', ' said', ' something']);
  });

  it('end where they are flushed, and go on from there with what came before', () => {
    const windows = new StreamWindows(countBytes, { chunkTokens: 20, contextTokens: 20 });
    windows.push('some');
    expect([windows.waiting, windows.next()]).toEqual([true, undefined]);
    windows.flush();
    expect(textOf(windows.next()?.chunk ?? [])).toBe('some');
    expect([windows.waiting, windows.next()]).toEqual([false, undefined]);
    windows.flush();
    expect(windows.next()).toBeUndefined();
    windows.push('thing else');
    expect(windows.next()).toBeUndefined();
    windows.end();
    expect(windows.next()).toMatchObject({ index: 1, start: 4, context: [{ text: 'some' }] });
    expect(windows.next()).toBeUndefined();
  });

  it('never part a character when they are flushed', () => {
    fc.assert(
      fc.property(texts, fc.array(fc.nat()), fc.nat(9), (text, positions, every) => {
        const windows = new StreamWindows(countBytes, { chunkTokens: 9, contextTokens: 4 });
        const found: StreamWindow[] = [];
        for (const [index, delta] of cut(text, positions).entries()) {
          windows.push(delta);
          if (index % (every + 1) === 0) windows.flush();
          for (let window = windows.next(); window !== undefined; window = windows.next()) found.push(window);
        }
        windows.end();
        for (let window = windows.next(); window !== undefined; window = windows.next()) found.push(window);
        expect(found.map((window) => textOf(window.chunk)).join('')).toBe(wellFormed(text));
      }),
    );
  });

  it('of a stream without text are one that is empty', () => {
    expect(windowsOf(['', ''], 8, 8)).toMatchObject([{ index: 0, chunk: [], context: [], start: 0 }]);
  });

  it('cost work in proportion to the text, whatever it is', () => {
    for (const unit of ['word ', 'x', '漢', ' ', '😀 ']) {
      const scored = (repeats: number) =>
        windowsOf([unit.repeat(repeats)], 32, 32).reduce(
          (sum, { chunk, context }) => sum + countBytes(textOf([...context, ...chunk])),
          0,
        );
      expect(scored(4000) / scored(1000)).toBeCloseTo(4, 1);
      expect(scored(4000)).toBeLessThan(2.6 * countBytes(unit.repeat(4000)));
    }
  });
});

interface Options {
  readonly settings?: StreamSettings;
  readonly judge?: (request: ClassifyRequest) => Promise<Verdict>;
  readonly signal?: AbortSignal;
}

/** Sizes in words; `log` tells what was read, asked and got, in the order in which it happened. */
function stream(deltas: readonly string[], { settings, judge, signal = new AbortController().signal }: Options = {}) {
  const log: string[] = [];
  const classifier = createClassifierDouble((request) => {
    log.push(`judge ${request.items[0]}`);
    return judge === undefined ? Promise.resolve(verdictFor(request)) : judge(request);
  });
  async function* input() {
    for (const delta of deltas) {
      log.push(`read ${delta}`);
      yield delta;
    }
  }
  const { classifyStream } = createStreamClassifier({ begin: () => holdNothing(classifier) });
  const sizes = { chunkTokens: 2, contextTokens: 1, ...settings };
  return { events: classifyStream(input(), sizes, { longInput: 'window' }, signal), classifier, log };
}

async function all(events: AsyncGenerator<StreamEvent>): Promise<StreamEvent[]> {
  const found: StreamEvent[] = [];
  for await (const event of events) found.push(event);
  return found;
}

const kinds = (events: readonly StreamEvent[]) => events.map(({ event }) => event);
const released = (events: readonly StreamEvent[]) =>
  events.map((event) => (event.event === 'release' ? event.text : '')).join('');

describe('a stream', () => {
  it('is judged in windows with what came before, offsets in code points', async () => {
    const { events, classifier } = stream(['one 😀', ' three four', ' five']);
    const found = await all(events);
    expect(classifier.requests.map(({ items }) => items[0])).toEqual(['one 😀', ' 😀 three four', ' four five']);
    expect(kinds(found)).toEqual(['verdict', 'verdict', 'verdict', 'done']);
    expect(found).toMatchObject([
      { index: 0, context: 0, start: 0, end: 5 },
      { index: 1, context: 3, start: 5, end: 16 },
      { index: 2, context: 11, start: 16, end: 21 },
      { codePoints: 21, released: 0, verdict: { usage: { tokens: 21 }, results: [{ windows: 3, flagged: false }] } },
    ]);
  });

  it('tells once of each category that fires, and sums up at the end', async () => {
    const found = await all(stream(['calm words hateful words more hateful calm']).events);
    expect(kinds(found)).toEqual(['verdict', 'verdict', 'flag', 'verdict', 'verdict', 'done']);
    expect(found[2]).toMatchObject({ index: 1, start: 10, end: 24, categories: ['hate'] });
    expect(found.at(-1)).toMatchObject({
      verdict: { results: [{ flagged: true, action: 'block', score: 0.9, top_category: 'hate' }] },
    });
  });

  it('stops reading while four windows are judged', async () => {
    let open = () => {};
    const gate = new Promise<void>((resolve) => {
      open = resolve;
    });
    const deltas = Array.from({ length: 40 }, (_, index) => ` w${index}`);
    const { events, log, classifier } = stream(deltas, {
      settings: { chunkTokens: 1, contextTokens: 0 },
      judge: async (request) => {
        await gate;
        return verdictFor(request);
      },
    });
    const first = events.next();
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(classifier.requests).toHaveLength(4);
    expect(log.filter((line) => line.startsWith('read')).length).toBeLessThanOrEqual(6);
    open();
    expect((await first).value).toMatchObject({ event: 'verdict', index: 0 });
    await new Promise((resolve) => setTimeout(resolve, 20));
    // Nobody has asked for the second event.
    expect(log.filter((line) => line.startsWith('read')).length).toBeLessThanOrEqual(6);
    expect(await all(events)).toHaveLength(40);
  });

  it('reports windows in their order, whichever was judged first', async () => {
    let turn = 6;
    const { events } = stream(['a b c d e f'], {
      settings: { chunkTokens: 1, contextTokens: 0 },
      judge: async (request) => {
        await new Promise((resolve) => setTimeout(resolve, 3 * turn--));
        return verdictFor(request);
      },
    });
    const found = await all(events);
    expect(found.map((event) => ('index' in event ? event.index : 'end'))).toEqual([0, 1, 2, 3, 4, 5, 'end']);
  });

  it('waits when the queue is full, and gives up in the end', async () => {
    let refusals = 2;
    const judge = async (request: ClassifyRequest) => {
      if (refusals-- > 0) throw new DuoguardError('overloaded');
      return verdictFor(request);
    };
    expect(kinds(await all(stream(['one'], { judge }).events))).toEqual(['verdict', 'done']);
    refusals = Number.POSITIVE_INFINITY;
    await expect(all(stream(['one'], { judge }).events)).rejects.toMatchObject({ code: 'overloaded' });
  });

  it('judges what has come once nothing comes for a while, and each text once', async () => {
    let open = () => {};
    const gate = new Promise<void>((resolve) => {
      open = resolve;
    });
    async function* input() {
      yield 'one hate';
      await gate;
      yield 'ful three';
    }
    const { classifyStream } = createStreamClassifier({ begin: () => holdNothing(createClassifierDouble()) });
    const sizes = { chunkTokens: 50, contextTokens: 50, holdBack: 0, flushMs: 5 };
    const events = classifyStream(input(), sizes, { longInput: 'window' }, new AbortController().signal);
    expect((await events.next()).value).toMatchObject({ event: 'verdict', index: 0, start: 0, end: 8 });
    expect((await events.next()).value).toMatchObject({ event: 'release', text: 'one hate' });
    open();
    const rest = await all(events);
    expect(kinds(rest)).toEqual(['verdict', 'flag', 'done']);
    expect(rest[0]).toMatchObject({ index: 1, context: 0, start: 8, end: 17 });
  });

  it('waits for the rest of a chunk for ever when told to', async () => {
    async function* input() {
      yield 'one';
      await new Promise((resolve) => setTimeout(resolve, 50));
      yield ' two';
    }
    const { classifyStream } = createStreamClassifier({ begin: () => holdNothing(createClassifierDouble()) });
    const sizes = { chunkTokens: 50, contextTokens: 50, flushMs: 0 };
    const events = await all(classifyStream(input(), sizes, { longInput: 'window' }, new AbortController().signal));
    expect(kinds(events)).toEqual(['verdict', 'done']);
  });

  it('ends with the failure of a window and drops the others', async () => {
    const { events, classifier } = stream(['one two three four five six'], {
      judge: (request) =>
        String(request.items[0]).startsWith('one')
          ? Promise.reject(new DuoguardError('worker_crashed'))
          : waitForAbort(request),
    });
    await expect(all(events)).rejects.toMatchObject({ code: 'worker_crashed' });
    expect(classifier.requests.slice(1).every(({ signal }) => signal.aborted)).toBe(true);
  });

  it('fails when the model failed on a window: nothing unjudged passes', async () => {
    const { events } = stream(['one two'], {
      settings: { holdBack: 0 },
      judge: async (request) => ({
        ...verdictFor(request),
        results: [{ index: 0, error: { code: 'inference_failed', message: 'failed' } }],
      }),
    });
    await expect(all(events)).rejects.toMatchObject({ code: 'inference_failed' });
  });

  describe('whose window cannot be judged', () => {
    /** Fails on every window with "broken", as a classifier does whose policy says what becomes of it. */
    const failing = (action: 'allow' | 'block', code = 'inference_failed') => {
      return async (request: ClassifyRequest): Promise<Verdict> => {
        const verdict = verdictFor(request);
        if (!JSON.stringify(request.items).includes('broken')) return verdict;
        return { ...verdict, results: [{ index: 0, error: { code, message: 'failed' }, action }] };
      };
    };
    const settings = { contextTokens: 0, holdBack: 0 };

    it('passes it where the policy fails open', async () => {
      const found = await all(stream(['a b broken d e f'], { settings, judge: failing('allow') }).events);
      expect(kinds(found)).toEqual(['verdict', 'release', 'failure', 'release', 'verdict', 'release', 'done']);
      expect(found[2]).toMatchObject({ index: 1, start: 3, action: 'allow', error: { code: 'inference_failed' } });
      expect(released(found)).toBe('a b broken d e f');
      expect(found.at(-1)).toMatchObject({ failed: 1, verdict: { results: [{ action: 'allow', windows: 2 }] } });
    });

    it('holds it and all after it back where the policy fails closed', async () => {
      const found = await all(stream(['a b broken d e f'], { settings, judge: failing('block') }).events);
      expect(kinds(found)).toEqual(['verdict', 'release', 'failure', 'verdict', 'done']);
      expect(released(found)).toBe('a b');
      expect(found.at(-1)).toMatchObject({
        failed: 1,
        verdict: { results: [{ action: 'block', flagged: false, windows: 2 }] },
      });
    });

    it('is a failure as a whole when no window could be judged', async () => {
      const found = await all(stream(['broken'], { settings, judge: failing('block') }).events);
      expect(kinds(found)).toEqual(['failure', 'done']);
      expect(found.at(-1)).toMatchObject({
        verdict: { results: [{ action: 'block', error: { code: 'inference_failed' } }], usage: { tokens: 0 } },
      });
    });

    it('waits for a full queue before the policy decides', async () => {
      let refusals = 2;
      const full = failing('allow', 'overloaded');
      const { events } = stream(['broken'], {
        settings,
        judge: (request) => (refusals-- > 0 ? full(request) : Promise.resolve(verdictFor(request))),
      });
      expect(kinds(await all(events))).toEqual(['verdict', 'release', 'done']);
      refusals = Number.POSITIVE_INFINITY;
      const never = stream(['broken'], { settings, judge: full });
      expect(kinds(await all(never.events))).toEqual(['failure', 'release', 'done']);
      expect(never.classifier.requests).toHaveLength(7);
    });
  });

  it('that is left early drops its windows and closes its input', async () => {
    let closed = false;
    const { classifyStream } = createStreamClassifier({ begin: () => holdNothing(createClassifierDouble()) });
    async function* input() {
      try {
        for (;;) yield 'word ';
      } finally {
        closed = true;
      }
    }
    const signal = new AbortController().signal;
    for await (const _ of classifyStream(input(), {}, { longInput: 'window' }, signal)) break;
    expect(closed).toBe(true);
  });

  it('ends with the reason of its signal', async () => {
    const controller = new AbortController();
    const { events } = stream(['one two three'], { signal: controller.signal, judge: waitForAbort });
    const ended = expect(all(events)).rejects.toMatchObject({ code: 'deadline_exceeded' });
    setTimeout(() => controller.abort(new DuoguardError('deadline_exceeded')), 5);
    await ended;
  });

  it.each([
    [{ chunkTokens: 100, contextTokens: 29 }, 'chunk_tokens'],
    [{ contextTokens: 128 }, 'chunk_tokens'],
    [{ contextTokens: 3, holdBack: 4 }, 'hold_back'],
  ])('refuses %j before it reads', (settings, field) => {
    const { classifyStream } = createStreamClassifier({ begin: () => holdNothing(createClassifierDouble()) });
    const open = () =>
      classifyStream((async function* () {})(), settings, { longInput: 'window' }, AbortSignal.abort());
    expect(open).toThrow(expect.objectContaining({ code: 'invalid_request', details: { field } }));
  });
});

describe('what a stream began with', () => {
  function held(judge?: (request: ClassifyRequest) => Promise<Verdict>, chunkTokens = 1) {
    const counts = { begun: 0, released: 0 };
    const { classifyStream } = createStreamClassifier({
      begin() {
        counts.begun++;
        return { ...holdNothing(createClassifierDouble(judge)), release: () => counts.released++ };
      },
    });
    const controller = new AbortController();
    async function* input() {
      yield 'one two three four five six';
    }
    const sizes = { chunkTokens, contextTokens: 0 };
    const events = () => classifyStream(input(), sizes, { longInput: 'window' }, controller.signal);
    return { counts, controller, events };
  }
  const ONCE = { begun: 1, released: 1 };

  it('is released when it is done, and not before', async () => {
    const { counts, events } = held();
    for await (const event of events()) expect([event.event, counts.released]).toEqual([event.event, 0]);
    expect(counts).toEqual(ONCE);
  });

  it('is released when a window fails', async () => {
    const { counts, events } = held(() => Promise.reject(new DuoguardError('worker_crashed')));
    await expect(all(events())).rejects.toMatchObject({ code: 'worker_crashed' });
    expect(counts).toEqual(ONCE);
  });

  it('is released when its settings are refused', () => {
    const { counts, events } = held(undefined, 1000);
    expect(events).toThrow(expect.objectContaining({ code: 'invalid_request' }));
    expect(counts).toEqual(ONCE);
  });

  it.each([0, 1])('is released when its consumer leaves after %i events', async (taken) => {
    const { counts, events } = held();
    const left = events();
    for (let index = 0; index < taken; index++) await left.next();
    await left.return();
    expect(counts).toEqual(ONCE);
  });

  it.each([0, 1])('is released with its signal although nobody asks for more than %i events', async (taken) => {
    const { counts, controller, events } = held();
    const waiting = events();
    for (let index = 0; index < taken; index++) await waiting.next();
    controller.abort(new DuoguardError('deadline_exceeded'));
    expect(counts).toEqual(ONCE);
    await expect(all(waiting)).rejects.toMatchObject({ code: 'deadline_exceeded' });
    expect(counts).toEqual(ONCE);
  });

  it('names the reason of the signal when that fires while a full queue is waited for', async () => {
    const { counts, controller, events } = held(() =>
      Promise.reject(new DuoguardError(counts.released === 0 ? 'overloaded' : 'shutting_down')),
    );
    const ended = expect(all(events())).rejects.toMatchObject({ code: 'deadline_exceeded' });
    await new Promise((resolve) => setTimeout(resolve, 5));
    controller.abort(new DuoguardError('deadline_exceeded'));
    await ended;
  });

  it('is released at once when the signal has fired before', () => {
    const { counts, controller, events } = held();
    controller.abort(new DuoguardError('client_closed'));
    events();
    expect(counts).toEqual(ONCE);
  });
});

describe('hold_back', () => {
  it('releases all of an allowed text, the last tokens with the next window', async () => {
    const text = 'one two three four five';
    const found = await all(stream([text], { settings: { contextTokens: 1, holdBack: 1 } }).events);
    expect(kinds(found)).toEqual(['verdict', 'release', 'verdict', 'release', 'verdict', 'release', 'release', 'done']);
    expect(found[1]).toEqual({ event: 'release', start: 0, end: 3, text: 'one' });
    expect(released(found)).toBe(text);
    expect(found.at(-1)).toMatchObject({ released: text.length });
  });

  it('releases nothing of a blocked window, of what was held, or of what comes later', async () => {
    const found = await all(stream(['a b c d e hateful g h'], { settings: { contextTokens: 1, holdBack: 1 } }).events);
    expect(released(found)).toBe('a b c');
    expect(found.at(-1)).toMatchObject({ released: 5 });
  });

  it('never releases a character before a window with it was judged', async () => {
    await fc.assert(
      fc.asyncProperty(texts, fc.array(fc.nat()), fc.nat(8), async (text, positions, holdBack) => {
        let judged = 0;
        let out = '';
        const settings = { chunkTokens: 3, contextTokens: 8, holdBack };
        for await (const event of stream(cut(text, positions), { settings }).events) {
          if (event.event === 'verdict') judged = event.end;
          if (event.event !== 'release') continue;
          expect(event.start).toBe(Array.from(out).length);
          expect(event.end).toBeLessThanOrEqual(judged);
          out += event.text;
        }
        expect(out).toBe(wellFormed(text));
      }),
      { numRuns: 50 },
    );
  });
});
