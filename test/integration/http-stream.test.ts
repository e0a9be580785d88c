import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Checkpoint } from '../../src/checkpoint/checkpoint.ts';
import { loadCheckpoint } from '../../src/checkpoint/load.ts';
import { createRegistry } from '../../src/checkpoint/registry.ts';
import type { AppDependencies } from '../../src/http/app.ts';
import { drain, listen } from '../../src/http/server.ts';
import { createClassifier } from '../../src/moderation/classify.ts';
import { createStreamClassifier } from '../../src/moderation/stream.ts';
import { holdCheckpoint } from '../../src/moderation/stream-tenure.ts';
import { createAppUnderTest, errorOf, holdNothing } from '../support/app-under-test.ts';
import { createClassifierDouble, verdictFor, waitForAbort } from '../support/classifier-double.ts';
import { createFixtureCheckpoint, FIXTURE_LOAD_OPTIONS } from '../support/fixture-checkpoint.ts';
import { signOf } from '../support/fixture-model.ts';
import { addCheckpoint, createPlaces } from '../support/published-fixtures.ts';

const cleanup: (() => unknown)[] = [];
afterEach(async () => {
  for (const step of cleanup.splice(0)) await step();
});

type Under = ReturnType<typeof createAppUnderTest>;
type WireEvent = { readonly event: string } & Readonly<Record<string, unknown>>;

async function serve(overrides: Partial<AppDependencies> & { readonly apiKeys?: readonly string[] } = {}) {
  const under = createAppUnderTest(overrides);
  const server = await listen(under.app, '127.0.0.1', 0);
  cleanup.push(() => server.close(0));
  return { ...under, server, port: server.port };
}

/** A client that writes and reads one connection by hand, so that a test knows what the server cannot have got yet. */
async function open(
  port: number,
  { path = '/classify/stream', type = 'application/x-ndjson', headers = [] as string[] } = {},
) {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => {});
  cleanup.push(() => socket.destroy());
  await once(socket, 'connect');
  const lines = [`POST ${path} HTTP/1.1`, 'host: localhost', `content-type: ${type}`, 'transfer-encoding: chunked'];
  socket.write(`${[...lines, ...headers].join('\r\n')}\r\n\r\n`);
  const reader = new AnswerReader(socket);
  return {
    socket,
    reader,
    send(bytes: string | Uint8Array) {
      const piece = Buffer.from(bytes as string);
      socket.write(Buffer.concat([Buffer.from(`${piece.length.toString(16)}\r\n`), piece, Buffer.from('\r\n')]));
    },
    line(message: unknown) {
      this.send(`${JSON.stringify(message)}\n`);
    },
    end() {
      socket.write('0\r\n\r\n');
    },
  };
}

/** Events of a chunked answer, as they come. */
class AnswerReader {
  head = '';
  #text = '';
  #seen = 0;
  #over = false;

  constructor(socket: Socket) {
    socket.setEncoding('utf8');
    socket.on('data', (data: string) => {
      this.#text += data;
    });
    socket.on('close', () => {
      this.#over = true;
    });
  }

  /** The complete events so far. */
  get events(): WireEvent[] {
    const at = this.#text.indexOf('\r\n\r\n');
    if (at < 0) return [];
    this.head = this.#text.slice(0, at);
    return [...this.#text.slice(at).matchAll(/^\{"event":.*\}$/gm)].map(([json]) => JSON.parse(json));
  }

  async next(): Promise<WireEvent> {
    await until(() => this.events.length > this.#seen || this.#over);
    const event = this.events[this.#seen++];
    if (event === undefined) throw new Error(`the answer ended: ${this.#text}`);
    return event;
  }

  async rest(): Promise<WireEvent[]> {
    const found: WireEvent[] = [];
    do found.push(await this.next());
    while (!['done', 'error'].includes(found.at(-1)?.event ?? ''));
    return found;
  }

  async status(): Promise<number> {
    await until(() => this.#text.includes('\r\n\r\n'));
    return Number(this.#text.slice(9, 12));
  }
}

/** Polls; what it waits for is bounded by the test's own time limit. */
async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await sleep(5);
}

const settledMetrics = async ({ metrics }: Pick<Under, 'metrics'>, text: string) => {
  await until(async () => (await metrics.render()).includes(text));
  return metrics.render();
};

const SIZES = { chunk_tokens: 2, context_tokens: 1 };

describe('a real socket', () => {
  it('gives verdicts while the text is still arriving', async () => {
    const { port, classifier } = await serve();
    const client = await open(port);
    client.line(SIZES);
    client.line({ text: 'one two' });
    client.line(' three');
    expect(await client.reader.next()).toMatchObject({
      event: 'verdict',
      index: 0,
      start: 0,
      end: 7,
      context: 0,
      checkpoint: 'double-1',
      flagged: false,
      category_scores: { hate: 0.01 },
    });
    client.line(' hateful more');
    expect(await client.reader.next()).toMatchObject({ event: 'verdict', index: 1, start: 7, flagged: true });
    expect(await client.reader.next()).toEqual({ event: 'flag', index: 1, start: 7, end: 21, categories: ['hate'] });
    expect((classifier as { requests?: unknown[] }).requests).toHaveLength(2);
    client.end();
    const [last, done] = await client.reader.rest();
    expect(last).toMatchObject({ event: 'verdict', index: 2, end: 26 });
    expect(done).toMatchObject({
      event: 'done',
      model: 'duoguard',
      policy: 'default',
      flagged: true,
      action: 'block',
      top_category: 'hate',
      length: 26,
      released: 0,
      windows: 3,
      usage: { tokens: 21 },
    });
    expect(client.reader.head).toMatch(/^HTTP\/1\.1 200 /);
    expect(client.reader.head).toMatch(/content-type: application\/x-ndjson/i);
  });

  it('puts together characters and words that were cut', async () => {
    const { port, classifier } = await serve();
    const client = await open(port);
    client.line(SIZES);
    const bytes = Buffer.from('{"text":"hate"}\n"ful \\ud83d"\n"\\ude00 größe 漢"\n');
    for (const byte of bytes) {
      client.send(Uint8Array.of(byte));
      await sleep(0);
    }
    client.end();
    const events = await client.reader.rest();
    const texts = (classifier as ReturnType<typeof createClassifierDouble>).requests.map(({ items }) => items[0]);
    expect(texts).toEqual(['hateful 😀', ' 😀 größe 漢']);
    expect(events.map(({ event }) => event)).toEqual(['verdict', 'flag', 'verdict', 'done']);
    expect(events.at(-1)).toMatchObject({ length: 17 });
  });

  it('takes plain text as it comes, with its settings in the query', async () => {
    const { port, classifier } = await serve();
    const client = await open(port, {
      path: '/classify/stream?chunk_tokens=2&context_tokens=0',
      type: 'text/plain; charset=utf-8',
    });
    const text = Buffer.from('ein größerer hateful text');
    client.send(text.subarray(0, 7));
    await sleep(5);
    client.send(text.subarray(7));
    client.end();
    await client.reader.rest();
    const texts = (classifier as ReturnType<typeof createClassifierDouble>).requests.map(({ items }) => items[0]);
    expect(texts).toEqual(['ein größerer', ' hateful text']);
  });

  it('speaks server-sent events both ways', async () => {
    const { app } = await serve();
    const response = await app.request('/classify/stream', {
      method: 'POST',
      headers: { 'content-type': 'text/event-stream', accept: 'text/event-stream' },
      body: ': hello\r\ndata: {"chunk_tokens":2,"context_tokens":0}\r\n\r\nevent: delta\ndata: {"text":\ndata: "a hateful"}\n\ndata: [DONE]\n\n',
    });
    expect(response.headers.get('content-type')).toBe('text/event-stream');
    const blocks = (await response.text()).split('\n\n').slice(0, -1);
    expect(blocks.map((block) => block.split('\n')[0])).toEqual(['event: verdict', 'event: flag', 'event: done']);
    for (const block of blocks) expect(block).toMatch(/^event: (\w+)\ndata: \{"event":"\1",.*\}$/);
  });

  it('takes thresholds and categories as a classify request does', async () => {
    const { port, classifier } = await serve();
    const client = await open(port);
    client.line({ thresholds: { hate: 0.95 }, categories: ['hate'] });
    client.line('text');
    client.end();
    await client.reader.rest();
    expect((classifier as ReturnType<typeof createClassifierDouble>).requests[0]).toMatchObject({
      thresholds: { hate: 0.95 },
      categories: ['hate'],
      longInput: 'window',
    });
  });

  it('is what a model puts out unless it says otherwise', async () => {
    const under = await serve();
    for (const settings of [{}, { direction: 'input' }]) {
      const client = await open(under.port);
      client.line(settings);
      client.line('text');
      client.end();
      await client.reader.rest();
    }
    const { requests } = under.classifier as ReturnType<typeof createClassifierDouble>;
    expect(requests.map(({ direction }) => direction)).toEqual(['output', 'input']);
  });

  it('is judged when it pauses, so that a slow writer is not held up', async () => {
    const { port } = await serve();
    const client = await open(port, { path: '/classify/stream?flush_ms=5&hold_back=0' });
    client.line('one');
    await until(() => client.reader.events.length === 2);
    expect(client.reader.events).toMatchObject([{ event: 'verdict' }, { event: 'release', text: 'one' }]);
    client.line(' two');
    client.end();
    const events = await client.reader.rest();
    expect(events.filter(({ event }) => event === 'release').at(-1)).toMatchObject({ text: ' two' });
  });

  it('tells of a window that its policy lets pass, or stops, without being judged', async () => {
    const classifier = createClassifierDouble(async (request) => ({
      ...verdictFor(request),
      results: [{ index: 0, error: { code: 'worker_crashed', message: 'It crashed.' }, action: 'block' }],
    }));
    const under = await serve({ classifier });
    const client = await open(under.port);
    client.line({ ...SIZES, hold_back: 0 });
    client.line('text');
    client.end();
    const error = { code: 'worker_crashed', message: 'It crashed.' };
    expect(await client.reader.rest()).toMatchObject([
      { event: 'failure', index: 0, start: 0, end: 4, context: 0, checkpoint: 'double-1', action: 'block', error },
      { event: 'done', action: 'block', error, failed: 1, released: 0 },
    ]);
    await settledMetrics(under, 'guardrail_requests_in_flight 0');
  });

  it('of nothing is safe', async () => {
    const { port } = await serve();
    const client = await open(port);
    client.end();
    expect((await client.reader.rest()).at(-1)).toMatchObject({ event: 'done', flagged: false, length: 0, windows: 1 });
  });
});

describe('hold_back', () => {
  it('sends text only after it was judged', async () => {
    const judging: (() => void)[] = [];
    const classifier = createClassifierDouble(async (request) => {
      await new Promise<void>((resolve) => judging.push(resolve));
      return verdictFor(request);
    });
    const { port } = await serve({ classifier });
    const client = await open(port);
    client.line({ ...SIZES, hold_back: 1 });
    client.line('one two three four hateful six');
    await until(() => judging.length === 2);
    await sleep(20);
    expect(client.reader.events).toEqual([]);
    judging[0]?.();
    await until(() => client.reader.events.length === 2);
    expect(client.reader.events[1]).toEqual({ event: 'release', start: 0, end: 3, text: 'one' });
    await sleep(20);
    expect(client.reader.events).toHaveLength(2);
    judging[1]?.();
    await until(() => client.reader.events.length === 4);
    expect(client.reader.events[3]).toEqual({ event: 'release', start: 3, end: 13, text: ' two three' });
    client.end();
    await until(() => judging.length === 3);
    judging[2]?.();
    const events = await client.reader.rest();
    expect(events.filter(({ event }) => event === 'release')).toHaveLength(2);
    expect(events.at(-1)).toMatchObject({ event: 'done', action: 'block', released: 13 });
  });
});

describe('a client that leaves', () => {
  it.each(['between two pieces', 'while a window is judged'])('%s frees everything', async (when) => {
    const classifier = createClassifierDouble(when.startsWith('between') ? undefined : waitForAbort);
    const under = await serve({ classifier });
    const client = await open(under.port);
    client.line(SIZES);
    client.line('one two three');
    if (when.startsWith('between')) await client.reader.next();
    await until(() => classifier.requests.length === 1);
    expect(await under.metrics.render()).toContain('guardrail_requests_in_flight 1');
    client.socket.destroy();
    const metrics = await settledMetrics(under, 'request_failures_total{reason="client_closed"} 1');
    expect(metrics).toContain('guardrail_requests_in_flight 0');
    expect(classifier.requests[0]?.signal.aborted).toBe(true);
    await drain({ servers: [under.server], lifecycle: under.lifecycle, delayMs: 0, timeoutMs: 20_000 });
  });

  it('because of a flag is counted with what was judged', async () => {
    const under = await serve();
    const client = await open(under.port);
    client.line({ chunk_tokens: 1, context_tokens: 0 });
    client.line('calm hateful calm');
    await until(() => client.reader.events.some(({ event }) => event === 'flag'));
    client.socket.destroy();
    const metrics = await settledMetrics(under, 'request_failures_total{reason="client_closed"} 1');
    expect(metrics).toContain('guardrail_decisions_total{policy="default",action="block"} 1');
    expect(metrics).toContain('guardrail_category_flags_total{category="hate",policy="default"} 1');
  });

  it('that does not read its events is not read from either', async () => {
    const under = await serve({
      limits: { maxBodyBytes: 100_000_000, maxItems: 1, requestTimeoutMs: 20_000, streamTimeoutMs: 20_000 },
    });
    const client = await open(under.port, { path: '/classify/stream?chunk_tokens=1&context_tokens=0' });
    client.socket.pause();
    const body = `${JSON.stringify('word '.repeat(4000))}\n`;
    const piece = `${body.length.toString(16)}\r\n${body}\r\n`;
    let full = false;
    for (let sent = 0; sent < 4000 && !full; sent++) {
      if (client.socket.write(piece)) continue;
      full = await Promise.race([once(client.socket, 'drain').then(() => false), sleep(500).then(() => true)]);
    }
    const judged = (under.classifier as ReturnType<typeof createClassifierDouble>).requests.length;
    expect(full).toBe(true);
    await sleep(50);
    expect((under.classifier as ReturnType<typeof createClassifierDouble>).requests.length).toBe(judged);
    client.socket.destroy();
    await settledMetrics(under, 'guardrail_requests_in_flight 0');
  });

  it('without saying so, and reads no more, is cut off when its time is over', async () => {
    const limits = { maxBodyBytes: 2000, maxItems: 1, requestTimeoutMs: 20_000, streamTimeoutMs: 50 };
    const under = createAppUnderTest({ limits });
    const headers = { 'content-type': 'text/plain' };
    const request = { method: 'POST', headers, body: 'one two three' };
    const answer = await under.app.request('/classify/stream?chunk_tokens=1&context_tokens=0', request);
    await settledMetrics(under, 'guardrail_requests_in_flight 0');
    const events = (await answer.text()).trim().split('\n');
    expect(events.map((line) => JSON.parse(line))).toMatchObject([{ error: { code: 'deadline_exceeded' } }]);
  });
});

describe('what is wrong', () => {
  const post = (body: string, headers: Record<string, string> = {}, query = '') => ({
    path: `/classify/stream${query}`,
    init: { method: 'POST', headers: { 'content-type': 'application/x-ndjson', ...headers }, body },
  });

  it.each([
    ['a type', post('', { 'content-type': 'application/json' }), 415, 'unsupported_media_type', undefined],
    ['a charset', post('', { 'content-type': 'text/plain; charset=latin1' }), 415, 'unsupported_media_type', undefined],
    ['an encoding', post('', { 'content-encoding': 'gzip' }), 415, 'unsupported_media_type', undefined],
    ['a size', post('{"chunk_tokens":0}\n'), 422, 'invalid_request', 'chunk_tokens'],
    ['a size in the query', post('', {}, '?chunk_tokens=many'), 422, 'invalid_request', 'chunk_tokens'],
    ['sizes beyond the model', post('{"chunk_tokens":129}\n'), 422, 'invalid_request', 'chunk_tokens'],
    ['holding back too much', post('{"context_tokens":3,"hold_back":4}\n'), 422, 'invalid_request', 'hold_back'],
    ['a pause', post('{"flush_ms":-1}\n'), 422, 'invalid_request', 'flush_ms'],
    ['an unknown setting', post('{"chunk":4}\n'), 422, 'invalid_request', 'chunk'],
    ['a whole input', post('{"input":"text"}\n'), 422, 'invalid_request', 'input'],
    ['a threshold', post('{"thresholds":{"hate":2}}\n'), 422, 'invalid_request', 'thresholds.hate'],
    ['a first line that is no JSON', post('{"text":\n'), 400, 'invalid_json', undefined],
    [
      'a deadline',
      post('"text"\n', { 'x-request-deadline-ms': 'soon' }),
      422,
      'invalid_request',
      'x-request-deadline-ms',
    ],
  ])('before it begins is a status: %s', async (_, { path, init }, status, code, param) => {
    const { app, metrics } = createAppUnderTest();
    const response = await app.request(path, init);
    expect(response.status).toBe(status);
    const error = await errorOf(response);
    expect(error).toMatchObject({ code, ...(param === undefined ? {} : { param }) });
    expect(await metrics.render()).toContain('guardrail_requests_in_flight 0');
  });

  it('needs a key where keys are configured', async () => {
    const { app } = createAppUnderTest({ apiKeys: ['a-long-key'] });
    const { path, init } = post('"text"\n');
    expect((await app.request(path, init)).status).toBe(401);
  });

  it.each([
    ['a line that is no JSON', '{"text":\n', 'invalid_json', undefined],
    ['a delta of the wrong type', '{"text":5}\n', 'invalid_request', 'stream[1]'],
    ['a list', '["a"]\n', 'invalid_request', 'stream[1]'],
    ['settings that come late', '{"chunk_tokens":5}\n', 'invalid_request', 'stream[1]'],
    ['deep nesting', `${'['.repeat(50)}\n`, 'invalid_json', undefined],
    ['bytes that are no UTF-8', Buffer.from([0x22, 0xff, 0x22, 0x0a]), 'invalid_json', undefined],
    ['a body over the limit', '"0123456789"\n'.repeat(200), 'payload_too_large', undefined],
  ])('later is an error event, and the last: %s', async (_, body, code, param) => {
    const under = await serve({
      limits: { maxBodyBytes: 2000, maxItems: 1, requestTimeoutMs: 5_000, streamTimeoutMs: 5_000 },
    });
    const client = await open(under.port);
    client.line('a');
    expect(await client.reader.status()).toBe(200);
    client.send(body);
    const events = await client.reader.rest();
    const error = events.at(-1);
    expect(error).toMatchObject({ event: 'error', error: { code, ...(param === undefined ? {} : { param }) } });
    expect(await settledMetrics(under, `request_failures_total{reason="${code}"} 1`)).toContain('in_flight 0');
  });

  it.each([
    ['a pause that is too long', { requestTimeoutMs: 50, streamTimeoutMs: 5_000 }, [], 'request_timeout'],
    ['a stream that is too long', { requestTimeoutMs: 5_000, streamTimeoutMs: 50 }, [], 'deadline_exceeded'],
    [
      'a deadline of its own',
      { requestTimeoutMs: 5_000, streamTimeoutMs: 5_000 },
      ['x-request-deadline-ms: 50'],
      'deadline_exceeded',
    ],
  ])('ends %s', async (_, limits, headers, code) => {
    const { port } = await serve({ limits: { maxBodyBytes: 2000, maxItems: 1, ...limits } });
    const client = await open(port, { headers: headers as string[] });
    client.line('one');
    expect((await client.reader.rest()).at(-1)).toMatchObject({ event: 'error', error: { code } });
  });

  it('tells of a failure of the model without what it was about', async () => {
    const classifier = createClassifierDouble(async ({ items }) => {
      throw new Error(`bug about ${items[0]}`);
    });
    const under = await serve({ classifier });
    const client = await open(under.port);
    client.line('planted marker');
    client.end();
    expect(await client.reader.rest()).toMatchObject([{ event: 'error', error: { code: 'internal_error' } }]);
    await settledMetrics(under, 'reason="internal_error"} 1');
    expect(under.lines.join('')).toContain('request failed');
    expect(JSON.stringify(client.reader.events) + under.lines.join('')).not.toContain('planted marker');
  });
});

describe('a swap of what judges', () => {
  /** Doubles that name themselves; `serving` is the one that streams begin with. */
  function createSwappable() {
    const leases = new Map<string, number>();
    const swappable = {
      serving: 'old',
      leases,
      streamClassifier: createStreamClassifier({
        begin() {
          const id = swappable.serving;
          leases.set(id, (leases.get(id) ?? 0) + 1);
          const classifier = createClassifierDouble(async (request) => ({ ...verdictFor(request), checkpoint: id }));
          return { ...holdNothing(classifier), release: () => void leases.set(id, (leases.get(id) as number) - 1) };
        },
      }),
    };
    return swappable;
  }

  it('leaves a stream with what it began with; the next one begins with the other', async () => {
    const swappable = createSwappable();
    const { port } = await serve(swappable);
    const before = await open(port);
    before.line(SIZES);
    before.line('one two');
    before.line(' three');
    expect(await before.reader.next()).toMatchObject({ event: 'verdict', checkpoint: 'old' });
    swappable.serving = 'new';
    const after = await open(port);
    for (const client of [before, after]) client.line(' four five six');
    after.end();
    expect(new Set((await after.reader.rest()).map(({ checkpoint }) => checkpoint))).toEqual(new Set(['new']));
    expect(Object.fromEntries(swappable.leases)).toEqual({ old: 1, new: 0 });
    before.end();
    const rest = await before.reader.rest();
    expect(rest.length).toBeGreaterThan(2);
    expect(new Set(rest.map(({ checkpoint }) => checkpoint))).toEqual(new Set(['old']));
    await until(() => swappable.leases.get('old') === 0);
  });

  it.each([
    ['its client leaves', {}, (client: Awaited<ReturnType<typeof open>>) => void client.socket.destroy()],
    ['its client sends what cannot be read', {}, (client: Awaited<ReturnType<typeof open>>) => client.send('{\n')],
    ['its client says nothing for too long', { requestTimeoutMs: 50 }, () => {}],
    ['its time is over', { streamTimeoutMs: 50 }, () => {}],
  ])('holds the old one no longer than its streams: %s', async (_, limits, end) => {
    const swappable = createSwappable();
    const defaults = { maxBodyBytes: 2000, maxItems: 1, requestTimeoutMs: 20_000, streamTimeoutMs: 20_000 };
    const { port } = await serve({ ...swappable, limits: { ...defaults, ...limits } });
    const client = await open(port);
    client.line(SIZES);
    client.line('one two three');
    await client.reader.next();
    swappable.serving = 'new';
    end(client);
    await until(() => swappable.leases.get('old') === 0);
    expect(swappable.leases.has('new')).toBe(false);
  });

  it('holds the old one no longer than a server that ends waits for its streams', async () => {
    const swappable = createSwappable();
    const { port, server, lifecycle } = await serve(swappable);
    const client = await open(port);
    client.line(SIZES);
    client.line('one two three');
    await client.reader.next();
    await drain({ servers: [server], lifecycle, delayMs: 0, timeoutMs: 50 });
    await until(() => swappable.leases.get('old') === 0);
  });
});

describe('with a model', () => {
  let checkpoint: Checkpoint;
  beforeAll(async () => {
    checkpoint = await loadCheckpoint(await createFixtureCheckpoint(), FIXTURE_LOAD_OPTIONS);
  });
  afterAll(() => checkpoint.close());

  async function serveModel() {
    let scored = 0;
    const counting: Checkpoint = {
      ...checkpoint,
      engine: {
        ...checkpoint.engine,
        submit: (sequences, signal) => {
          scored += sequences.reduce((sum, ids) => sum + ids.length, 0);
          return checkpoint.engine.submit(sequences, signal);
        },
      },
    };
    const registry = createRegistry(counting);
    const classifier = createClassifier({ registry });
    const streamClassifier = createStreamClassifier({ begin: () => holdCheckpoint({ registry }) });
    return { ...(await serve({ classifier, streamClassifier })), scored: () => scored };
  }

  async function judge(port: number, deltas: readonly string[], settings: object) {
    const client = await open(port);
    client.line(settings);
    for (const delta of deltas) client.line(delta);
    client.end();
    return client.reader.rest();
  }

  it('finds a sign wherever it stands and however it arrives, with the span of its window', async () => {
    const { port } = await serveModel();
    for (const position of [0, 19, 20, 77, 198]) {
      const text = Array.from({ length: 200 }, (_, index) => (index === position ? signOf('hate') : 'x')).join('');
      for (const size of [1, 7, 200]) {
        const deltas = text.match(new RegExp(`.{1,${size}}`, 'g')) as string[];
        const events = await judge(port, deltas, { chunk_tokens: 20, context_tokens: 20 });
        const flag = events.find(({ event }) => event === 'flag') as unknown as { start: number; end: number };
        expect(flag).toMatchObject({ categories: ['hate'] });
        expect(flag.start <= position && position < flag.end).toBe(true);
        expect(events.at(-1)).toMatchObject({ flagged: true, top_category: 'hate', length: 200 });
      }
    }
  });

  it('keeps the checkpoint that it began with across a swap, whose workers end with the last stream', async () => {
    const files = createPlaces().shippedDir;
    const load = async (id: string, loud: number) =>
      loadCheckpoint(await addCheckpoint(files, id, loud), FIXTURE_LOAD_OPTIONS);
    const [a, b] = [await load('a', 4), await load('b', 2)];
    const registry = createRegistry(a);
    cleanup.push(() => registry.close());
    const streamClassifier = createStreamClassifier({ begin: () => holdCheckpoint({ registry }) });
    const { port } = await serve({ classifier: createClassifier({ registry }), streamClassifier });

    const loudness = { a: 1 / (1 + Math.exp(-4)), b: 1 / (1 + Math.exp(-2)) };
    const sentence = `some words with ${signOf('hate')} among them `;
    const isJudged = ({ event }: WireEvent) => event === 'verdict' || event === 'done';
    const read = (event: WireEvent) => {
      const { checkpoint, category_scores } = event as unknown as {
        checkpoint: 'a';
        category_scores: { hate: number };
      };
      if (event.event === 'verdict' && event['flagged'] === true) {
        expect(category_scores.hate).toBeCloseTo(loudness[checkpoint], 3);
      }
      return checkpoint;
    };
    const streams = [await open(port), await open(port)];
    for (const client of streams) {
      client.line({ chunk_tokens: 20, context_tokens: 20 });
      client.line(sentence);
      expect(read(await client.reader.next())).toBe('a');
    }
    let retired = false;
    const swap = registry.activate(b).then(() => {
      retired = true;
    });
    expect(new Set((await judge(port, [sentence], {})).filter(isJudged).map(read))).toEqual(new Set(['b']));
    for (const client of streams) {
      expect([retired, a.engine.stats().workersReady]).toEqual([false, 1]);
      for (let repeat = 0; repeat < 5; repeat++) client.line(sentence);
      client.end();
      const events = (await client.reader.rest()).filter(isJudged);
      expect(events.length).toBeGreaterThan(5);
      expect(new Set(events.map(read))).toEqual(new Set(['a']));
    }
    await swap;
    expect([a.engine.stats().workersReady, b.engine.stats().workersReady]).toEqual([0, 1]);
  });

  it('scores tokens in proportion to the text', async () => {
    const { port, scored } = await serveModel();
    // On a busy machine a pause would make windows of its own.
    const settings = { chunk_tokens: 24, context_tokens: 24, flush_ms: 0 };
    const cost = async (words: number) => {
      const before = scored();
      await judge(port, Array(words).fill('word '), settings);
      return scored() - before;
    };
    const short = await cost(200);
    const long = await cost(1600);
    expect(long / short).toBeCloseTo(8, 0);
    // Twice the text for its context, and two special tokens a window.
    expect(long).toBeLessThan(2.6 * 1600 * 5);
  });
});
