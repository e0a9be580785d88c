import { afterEach, describe, expect, it } from 'vitest';
import { type ClassificationEvent, ClientError, type ClientOptions, createClient } from '../../src/client.ts';
import { DuoguardError, type ErrorCode } from '../../src/errors.ts';
import { listen } from '../../src/http/server.ts';
import { createAppUnderTest } from '../support/app-under-test.ts';
import { createClassifierDouble, verdictFor, waitForAbort } from '../support/classifier-double.ts';

const cleanup: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const step of cleanup.splice(0)) await step();
});

async function serve(overrides: Parameters<typeof createAppUnderTest>[0] = {}, options: Partial<ClientOptions> = {}) {
  const under = createAppUnderTest(overrides);
  const server = await listen(under.app, '127.0.0.1', 0);
  cleanup.push(() => server.close(0));
  return { ...under, client: createClient({ baseUrl: `http://127.0.0.1:${server.port}`, ...options }) };
}

/** Refuses so many times, then judges. */
function refusing(times: number, code: ErrorCode, retryAfterSeconds?: number) {
  let left = times;
  return createClassifierDouble(async (request) => {
    if (left-- > 0) throw new DuoguardError(code, { details: { retryAfterSeconds } });
    return verdictFor(request);
  });
}

/** Answers without a server. */
const answering = (answer: () => Response | Promise<Response>, options: Partial<ClientOptions> = {}) =>
  createClient({ baseUrl: 'http://guard.test', fetch: async () => answer(), ...options });

const refusal = (status: number, headers: Record<string, string> = {}) =>
  Response.json({ error: { code: 'overloaded', message: 'The queue is full.' } }, { status, headers });

async function failure(asked: Promise<unknown>): Promise<ClientError> {
  const error = await asked.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(ClientError);
  return error as ClientError;
}

describe('duoguard/client', () => {
  it('classifies one item, several, and conversations', async () => {
    const { client } = await serve();
    const one = await client.classify('a hateful text');
    expect(one).toMatchObject({ model: 'duoguard', checkpoint: 'double-1', policy: 'default' });
    expect(one.results).toMatchObject([{ flagged: true, top_category: 'hate' }]);
    const messages = [{ role: 'user', content: 'hateful' }];
    const several = await client.classify(['calm', { messages }, { prompt: 'calm', response: 'calm' }]);
    expect(several.results.map((result) => 'flagged' in result && result.flagged)).toEqual([false, true, false]);
  });

  it('sends its options, its key and how long it waits', async () => {
    const apiKeys = ['a-key-of-the-server'];
    const classifier = createClassifierDouble();
    const { client } = await serve({ apiKeys, classifier }, { apiKey: 'a-key-of-the-server' });
    const options = {
      thresholds: { hate: 0.95 },
      categories: ['hate'],
      longInput: 'reject',
      policy: 'default',
      direction: 'output',
      language: 'de',
    } as const;
    await client.classify('calm', options);
    expect(classifier.requests[0]).toMatchObject({
      direction: 'output',
      language: 'de',
      thresholds: { hate: 0.95 },
      categories: ['hate'],
      longInput: 'reject',
    });
  });

  it('throws the code of the server, the field and the request id', async () => {
    const { client } = await serve({}, { retries: 0 });
    const error = await failure(client.classify(['calm', '']));
    expect(error).toMatchObject({ code: 'invalid_request', facts: { status: 422, param: 'input[1]' } });
    expect(error.facts.requestId).toMatch(/^[0-9a-f-]{36}$/);
    const { client: stranger } = await serve({ apiKeys: ['a-key-of-the-server'] });
    expect(await failure(stranger.classify('calm'))).toMatchObject({ code: 'unauthorized', facts: { status: 401 } });
  });

  it.each(['overloaded', 'not_ready'] as const)('tries again after %s, when the server says', async (code) => {
    const classifier = refusing(1, code, 1);
    const { client } = await serve({ classifier });
    const began = performance.now();
    expect((await client.classify('hateful')).results).toMatchObject([{ flagged: true }]);
    expect(performance.now() - began).toBeGreaterThan(990);
    expect(classifier.requests).toHaveLength(2);
  });

  it('gives up after its retries, and at once when the server asks for more time than there is', async () => {
    let asked = 0;
    const count = (headers: Record<string, string>) => () => {
      asked++;
      return refusal(503, headers);
    };
    const patient = answering(count({}), { retries: 1 });
    expect(await failure(patient.classify('a'))).toMatchObject({ code: 'overloaded', facts: { status: 503 } });
    expect(asked).toBe(2);
    const hurried = answering(count({ 'retry-after': '60' }), { timeoutMs: 1000 });
    expect(await failure(hurried.classify('a'))).toMatchObject({ facts: { retryAfterSeconds: 60 } });
    expect(asked).toBe(3);
  });

  it('does not try again what may have been done', async () => {
    const classifier = refusing(1, 'inference_failed');
    const { client } = await serve({ classifier });
    expect(await failure(client.classify('calm'))).toMatchObject({ code: 'inference_failed', facts: { status: 500 } });
    expect(classifier.requests).toHaveLength(1);
  });

  it('ends in time, and the server drops the work', async () => {
    const classifier = createClassifierDouble(waitForAbort);
    const { client } = await serve({ classifier }, { timeoutMs: 200 });
    expect(['timeout', 'deadline_exceeded']).toContain((await failure(client.classify('calm'))).code);
    await expect.poll(() => classifier.requests[0]?.signal.aborted).toBe(true);
  });

  it('ends with the reason of its signal, also while it waits to try again', async () => {
    const reason = new Error('no longer needed');
    const { client } = await serve({ classifier: refusing(9, 'overloaded', 5) });
    const controller = new AbortController();
    const asked = client.classify('calm', { signal: controller.signal });
    setTimeout(() => controller.abort(reason), 100);
    await expect(asked).rejects.toBe(reason);
    await expect(client.classify('calm', { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  });

  it('tells a server that is not there from one that is not duoguard', async () => {
    const gone = createClient({ baseUrl: 'http://127.0.0.1:1' });
    expect(await failure(gone.classify('calm'))).toMatchObject({ code: 'unreachable', facts: {} });
    const page = () => new Response('<html>', { status: 200 });
    expect(await failure(answering(page).classify('calm'))).toMatchObject({ code: 'unexpected_answer' });
    const gateway = () => new Response('Bad Gateway', { status: 502 });
    expect(await failure(answering(gateway).classify('calm'))).toMatchObject({
      code: 'unexpected_answer',
      facts: { status: 502 },
    });
  });

  it('keeps the path of its base', async () => {
    const asked: string[] = [];
    for (const baseUrl of ['http://guard.test/team', 'http://guard.test/team/']) {
      const client = createClient({
        baseUrl,
        fetch: async (url) => {
          asked.push(String(url));
          return Response.json({ results: [] });
        },
      });
      await client.classify('calm');
    }
    expect(asked).toEqual(Array(2).fill('http://guard.test/team/classify'));
  });
});

describe('a stream of duoguard/client', () => {
  async function* deltas(...parts: readonly string[]) {
    yield* parts;
  }

  async function all(events: AsyncIterable<ClassificationEvent>): Promise<ClassificationEvent[]> {
    const found: ClassificationEvent[] = [];
    for await (const event of events) found.push(event);
    return found;
  }

  it('gives the text back as it is judged, before it has ended', async () => {
    const { client } = await serve();
    let open = () => {};
    const gate = new Promise<void>((resolve) => {
      open = resolve;
    });
    async function* slowly() {
      yield 'one two th';
      await gate;
      yield 'ree hateful five';
    }
    const options = { chunkTokens: 2, contextTokens: 2, holdBack: 0, policy: 'default' };
    const events = client.classifyStream(slowly(), options);
    expect((await events.next()).value).toMatchObject({ event: 'verdict', index: 0, flagged: false, end: 7 });
    expect((await events.next()).value).toMatchObject({ event: 'release', text: 'one two' });
    open();
    const rest = await all(events);
    expect(rest.map(({ event }) => event)).toEqual(['verdict', 'flag', 'verdict', 'done']);
    expect(rest.at(-1)).toMatchObject({ action: 'block', released: 7, length: 26, policy: 'default' });
  });

  it('sends its options and its key', async () => {
    const classifier = createClassifierDouble();
    const { client } = await serve({ apiKeys: ['a-key-of-the-server'], classifier }, { apiKey: 'a-key-of-the-server' });
    const thresholds = { hate: 0.95 };
    await all(
      client.classifyStream(deltas('calm'), { thresholds, categories: ['hate'], direction: 'input', language: 'de' }),
    );
    expect(classifier.requests[0]).toMatchObject({
      thresholds,
      categories: ['hate'],
      direction: 'input',
      language: 'de',
    });
  });

  it('fails with the error of the server, also of one that comes late', async () => {
    const { client } = await serve();
    const early = failure(all(client.classifyStream(deltas('calm'), { chunkTokens: 0 })));
    expect(await early).toMatchObject({ code: 'invalid_request', facts: { status: 422, param: 'chunk_tokens' } });
    const classifier = refusing(1, 'worker_crashed');
    const late = failure(all((await serve({ classifier })).client.classifyStream(deltas('calm'))));
    expect(await late).toMatchObject({ code: 'worker_crashed' });
    const gone = createClient({ baseUrl: 'http://127.0.0.1:1' });
    expect(await failure(all(gone.classifyStream(deltas('a'))))).toMatchObject({ code: 'unreachable' });
    const cut = answering(() => new Response('{"event":"verdict","index":0}\n'));
    expect(await failure(all(cut.classifyStream(deltas('a'))))).toMatchObject({ code: 'unexpected_answer' });
  });

  it('fails with what its deltas failed with', async () => {
    const { client } = await serve();
    const reason = new Error('the model broke');
    async function* broken() {
      yield 'one ';
      throw reason;
    }
    await expect(all(client.classifyStream(broken()))).rejects.toBe(reason);
  });

  it('that is left frees the server and the writer', async () => {
    const { client, metrics } = await serve();
    let closed = false;
    async function* endless() {
      try {
        for (;;) yield 'word ';
      } finally {
        closed = true;
      }
    }
    for await (const _ of client.classifyStream(endless(), { chunkTokens: 1, contextTokens: 0 })) break;
    await expect.poll(() => closed).toBe(true);
    await expect.poll(() => metrics.render()).toContain('guardrail_requests_in_flight 0');
  });

  it('ends with the reason of its signal', async () => {
    const { client } = await serve({ classifier: createClassifierDouble(waitForAbort) });
    const controller = new AbortController();
    const reason = new Error('no longer needed');
    const asked = all(client.classifyStream(deltas('one two'), { signal: controller.signal }));
    setTimeout(() => controller.abort(reason), 50);
    await expect(asked).rejects.toBe(reason);
  });
});
