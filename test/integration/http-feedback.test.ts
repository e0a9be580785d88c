import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createClient } from '../../src/client.ts';
import { DuoguardError } from '../../src/errors.ts';
import { openEmbedded } from '../../src/feedback/embedded.ts';
import type { FeedbackService } from '../../src/feedback/feedback-service.ts';
import { createRecentTexts } from '../../src/feedback/recent-texts.ts';
import { Lifecycle } from '../../src/http/lifecycle.ts';
import { feedbackAnswer, feedbackPage } from '../../src/http/openapi/schemas.ts';
import { listen } from '../../src/http/server.ts';
import { readRows } from '../../training/data/rows.ts';
import { parseSeed } from '../../training/data/seeds.ts';
import { createAppUnderTest, errorOf, post } from '../support/app-under-test.ts';
import { startFeedback } from '../support/feedback.ts';

const KEYS = ['classify-key', 'feedback=feedback-key', 'admin=admin-key', 'metrics=metrics-key'];
const bearer = (key: string) => ({ authorization: `Bearer ${key}` });
const ADMIN = bearer('admin-key');
const SAFE = { text: 'How do I kill a Python process?', unsafe: false, lang: 'en' };

/** The thread of the database compiles its sources first, which takes a busy machine seconds. */
const PATIENT = { maxBodyBytes: 2_097_152, maxItems: 32, requestTimeoutMs: 50_000, streamTimeoutMs: 50_000 };

function start(overrides: Parameters<typeof createAppUnderTest>[0] = {}) {
  const { service } = startFeedback();
  const under = createAppUnderTest({ feedback: service, apiKeys: KEYS, limits: PATIENT, ...overrides });
  return {
    ...under,
    say: (body: unknown, headers: Record<string, string> = {}) =>
      under.app.request('/v1/feedback', post(body, { ...bearer('feedback-key'), ...headers })),
    admin: (path: string, method = 'GET') => under.app.request(path, { method, headers: ADMIN }),
  };
}

async function listed(under: ReturnType<typeof start>, query = '') {
  const answer = await under.admin(`/v1/feedback${query}`);
  expect(answer.status).toBe(200);
  return feedbackPage.parse(await answer.json());
}

describe('POST /v1/feedback', () => {
  it('stores a text with its right label', async () => {
    const under = start();
    const said = { ...SAFE, checkpoint: 'duoguard-mini-2', scores: { hate: 0.8 }, note: 'about Unix' };
    const receipt = feedbackAnswer.parse(await (await under.say(said)).json());
    expect(receipt).toMatchObject({ created: true, text_known: true });
    const page = await listed(under);
    expect(page.next).toBeNull();
    expect(page.feedback).toMatchObject([{ ...said, id: receipt.id, categories: [], verdict_id: null, index: 0 }]);
    expect(await under.metrics.render()).toContain('guardrail_feedback_total{kind="safe"} 1');
  });

  it('stores it once when it is sent twice', async () => {
    const under = start();
    const answers: { id: string }[] = [];
    for (let i = 0; i < 2; i++) {
      answers.push((await (await under.say({ id: 'cls-1', unsafe: false })).json()) as { id: string });
    }
    expect(answers).toMatchObject([
      { created: true, text_known: false },
      { created: false, text_known: false },
    ]);
    expect(answers[0]?.id).toBe(answers[1]?.id);
    expect(await under.metrics.render()).toContain('guardrail_feedback_total{kind="duplicate"} 1');
  });

  it('keeps idempotency keys of different API keys apart', async () => {
    const under = start();
    const header = { 'idempotency-key': 'k-1' };
    expect((await under.say(SAFE, header)).status).toBe(200);
    const reused = await under.say({ ...SAFE, text: 'another' }, header);
    expect(reused.status).toBe(422);
    expect((await errorOf(reused)).code).toBe('idempotency_key_reused');
    expect((await under.say({ ...SAFE, text: 'third' }, { ...header, ...bearer('classify-key') })).status).toBe(200);
    expect((await under.say(SAFE, { 'idempotency-key': 'a b' })).status).toBe(422);
  });

  it.each([
    [{ unsafe: false }, 'text'],
    [{ text: '', unsafe: false }, 'text'],
    [{ text: 'a' }, 'unsafe'],
    [{ text: 'a', unsafe: true }, 'categories'],
    [{ text: 'a', unsafe: false, categories: ['hate'] }, 'categories'],
    [{ text: 'a', unsafe: true, categories: ['rudeness'] }, 'categories[0]'],
    [{ text: 'a', unsafe: false, lang: 'a language' }, 'lang'],
    [{ text: 'a', unsafe: false, scores: { hate: 2 } }, 'scores.hate'],
    [{ text: 'a', unsafe: false, scores: { rudeness: 1 } }, 'scores.rudeness'],
    [{ text: 'a', unsafe: false, note: 'n'.repeat(2001) }, 'note'],
    [{ text: 'a'.repeat(65_537), unsafe: false }, 'text'],
    [{ id: 'an id', unsafe: false }, 'id'],
    [{ text: 'a', unsafe: false, more: 1 }, 'more'],
  ])('refuses %j', async (body, field) => {
    const under = start();
    const answer = await under.say(body);
    expect(answer.status).toBe(422);
    expect(await errorOf(answer)).toMatchObject({ code: 'invalid_request', param: field });
  });

  it('refuses a body that is too large', async () => {
    const answer = await start().say({ ...SAFE, note: 'n'.repeat(600_000) });
    expect((await errorOf(answer)).code).toBe('payload_too_large');
  });

  it('stores characters that a database cannot hold as what stands for them', async () => {
    const under = start();
    expect((await under.say({ ...SAFE, text: 'a\0b\ud800c' })).status).toBe(200);
    expect((await listed(under)).feedback[0]?.text).toBe('a\ufffdb\ufffdc');
  });
});

describe('the id of a verdict', () => {
  const item = 'a hateful text';
  const pair = { prompt: 'question', response: 'hateful' };

  async function classified(under: ReturnType<typeof start>) {
    const answer = await under.classify({ input: ['calm', item, pair] }, bearer('classify-key'));
    return {
      id: ((await answer.json()) as { id: string }).id,
      requestId: answer.headers.get('x-request-id') as string,
    };
  }

  it('becomes its text again while the server remembers it', async () => {
    const under = start({ recentTexts: createRecentTexts(10, 60) });
    const { id, requestId } = await classified(under);
    expect(await (await under.say({ id, index: 1, unsafe: false })).json()).toMatchObject({ text_known: true });
    await under.say({ id: requestId, index: 2, unsafe: true, categories: ['privacy'] });
    expect((await listed(under)).feedback).toMatchObject([
      { verdict_id: requestId, index: 2, text: 'question\nhateful', kind: 'qa' },
      { verdict_id: id, index: 1, text: item, kind: 'prompt', checkpoint: 'double-1', scores: { hate: 0.9 } },
    ]);
    const beyond = await under.say({ id, index: 3, unsafe: false });
    expect(await errorOf(beyond)).toMatchObject({ code: 'invalid_request', param: 'index' });
  });

  it('is all that is stored when it does not, and is not exported', async () => {
    const under = start();
    const { id } = await classified(under);
    expect(await (await under.say({ id, index: 1, unsafe: false })).json()).toMatchObject({ text_known: false });
    expect((await listed(under)).feedback).toMatchObject([{ verdict_id: id, text: null }]);
    expect(await (await under.admin('/v1/feedback/export')).text()).toBe('');
  });

  it('is forgotten by number and by time', async () => {
    const few = createRecentTexts(1, 60);
    const verdict = { checkpoint: 'c', results: [], usage: { tokens: 0 } } as never;
    few.remember(['a', 'b'], { items: ['one'] }, verdict);
    few.remember(['c', 'd'], { items: ['two'] }, verdict);
    expect([few.find('a'), few.find('c')?.[0]?.text]).toEqual([undefined, 'two']);
    const brief = createRecentTexts(10, 0.01);
    brief.remember(['a'], { items: ['one'] }, verdict);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(brief.find('a')).toBeUndefined();
  });
});

describe('who may do what', () => {
  it.each([
    ['POST', '/v1/feedback', ['feedback-key', 'classify-key']],
    ['GET', '/v1/feedback', ['admin-key']],
    ['GET', '/v1/feedback/export', ['admin-key']],
    ['DELETE', '/v1/feedback/cls-1', ['admin-key']],
  ])('%s %s is for %s', async (method, path, allowed) => {
    const under = start();
    const bySome = [];
    for (const key of ['classify-key', 'feedback-key', 'admin-key', 'metrics-key']) {
      const headers = { 'content-type': 'application/json', ...bearer(key) };
      const body = method === 'POST' ? JSON.stringify(SAFE) : null;
      const { status } = await under.app.request(path, { method, headers, body });
      if (status !== 403) bySome.push(key);
    }
    expect(bySome.sort()).toEqual([...allowed].sort());
    expect((await under.app.request(path, { method })).status).toBe(401);
  });

  it('without keys everybody may post, and nobody may read', async () => {
    const under = start({ apiKeys: [] });
    expect((await under.app.request('/v1/feedback', post(SAFE))).status).toBe(200);
    expect((await under.app.request('/v1/feedback')).status).toBe(403);
    expect((await under.app.request('/v1/feedback/export')).status).toBe(403);
  });

  it('says so when feedback is off', async () => {
    const under = start({ feedback: undefined });
    for (const answer of [await under.say(SAFE), await under.admin('/v1/feedback/export')]) {
      expect(answer.status).toBe(404);
      expect((await errorOf(answer)).code).toBe('feedback_off');
    }
  });

  it('takes nothing more while the server shuts down', async () => {
    const lifecycle = new Lifecycle();
    lifecycle.refuse();
    expect((await errorOf(await start({ lifecycle }).say(SAFE))).code).toBe('shutting_down');
  });
});

describe('reading and deleting', () => {
  it('goes through pages', async () => {
    const under = start();
    for (let i = 0; i < 5; i++) await under.say({ ...SAFE, text: `text ${i}` });
    const first = await listed(under, '?limit=3');
    const second = await listed(under, `?limit=3&before=${first.next}`);
    const texts = [...first.feedback, ...second.feedback].map(({ text }) => text);
    expect(texts).toEqual(['text 4', 'text 3', 'text 2', 'text 1', 'text 0']);
    expect(second.next).toBeNull();
  });

  it.each(['limit=0', 'limit=201', 'limit=x', 'before=x'])('refuses ?%s', async (query) => {
    expect((await start().admin(`/v1/feedback?${query}`)).status).toBe(422);
  });

  it('deletes, and says when there is nothing', async () => {
    const under = start();
    await under.say({ ...SAFE, id: 'cls-1' });
    expect(await (await under.admin('/v1/feedback/cls-1', 'DELETE')).json()).toEqual({ deleted: 1 });
    const again = await under.admin('/v1/feedback/cls-1', 'DELETE');
    expect(again.status).toBe(404);
    expect((await errorOf(again)).code).toBe('feedback_not_found');
    expect(await under.metrics.render()).toContain('guardrail_feedback_deleted_total{reason="request"} 1');
  });
});

describe('GET /v1/feedback/export', () => {
  it('writes rows that the corpus and training take', async () => {
    const under = start();
    // More than a page of the database.
    for (let i = 0; i < 230; i++) {
      const unsafe = i % 2 === 1;
      await under.say({
        text: `text ${i}`,
        unsafe,
        categories: unsafe ? ['hate'] : [],
        lang: i % 3 === 0 ? 'de' : 'en',
      });
    }
    const answer = await under.admin('/v1/feedback/export');
    expect(answer.headers.get('content-type')).toBe('application/x-ndjson');
    const lines = await answer.text();
    const rows = lines
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as { lang: string; text: string });
    expect(rows.map(({ text }) => text)).toEqual(Array.from({ length: 230 }, (_, i) => `text ${i}`));
    for (const row of rows) expect(parseSeed(JSON.stringify(row), row.lang)).toEqual(row);

    const directory = mkdtempSync(join(tmpdir(), 'duoguard-export-'));
    onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
    writeFileSync(join(directory, 'feedback.jsonl'), lines);
    let read = 0;
    for await (const row of readRows(join(directory, 'feedback.jsonl'))) read += row.unsafe ? 1 : 0;
    expect(read).toBe(115);
  });

  it('leaves out and counts what has no language, unless it is told one', async () => {
    const under = start();
    for (const text of ['a text 22', 'How do I end a process that hangs?']) await under.say({ text, unsafe: false });
    const read = async (query: string) => {
      const lines = (await (await under.admin(`/v1/feedback/export${query}`)).text()).trimEnd().split('\n');
      return lines.map((line) => (JSON.parse(line) as { id: string }).id);
    };
    expect(await read('')).toEqual(['en-violent_crimes-0001-s']);
    const counted = (result: string) => `guardrail_feedback_exported_total{result="${result}"} 1`;
    const metrics = await under.metrics.render();
    expect(metrics).toContain(counted('row'));
    expect(metrics).toContain(counted('no_language'));
    expect(await read('?lang=de')).toEqual(['de-violent_crimes-0001-s', 'en-violent_crimes-0001-s']);
    const wrong = await under.admin('/v1/feedback/export?lang=und');
    expect(await errorOf(wrong)).toMatchObject({ code: 'invalid_request', param: 'lang' });
  });

  it('answers HEAD without leaving a request in flight', async () => {
    const under = start();
    await under.say(SAFE);
    const answer = await under.admin('/v1/feedback/export', 'HEAD');
    expect([answer.status, await answer.text()]).toEqual([200, '']);
    await under.lifecycle.idle();
    expect(await under.metrics.render()).toContain('guardrail_requests_in_flight 0');
  });

  it('ends in a line that is no row when the database is lost on the way', async () => {
    const { service } = startFeedback();
    for (let i = 0; i < 201; i++) {
      await service.add({ ...FEEDBACK, text: `text ${i}` }, undefined);
    }
    const failing: FeedbackService = {
      ...service,
      exportable: (limit, after) =>
        after === '' ? service.exportable(limit, after) : Promise.reject(new DuoguardError('feedback_unavailable')),
    };
    const under = start({ feedback: failing });
    const lines = (await (await under.admin('/v1/feedback/export')).text()).trimEnd().split('\n');
    expect(lines).toHaveLength(201);
    expect(JSON.parse(lines.at(-1) as string)).toMatchObject({ error: { code: 'feedback_unavailable' } });
    expect(parseSeed(lines.at(-1) as string, 'en')).toBeTypeOf('string');
    expect(await under.metrics.render()).toContain('guardrail_request_failures_total{reason="feedback_unavailable"} 1');
  });

  describe('to somebody who stops reading', () => {
    /** Pages without end. */
    function startEndless(text: string, limits: Partial<typeof PATIENT>) {
      const { service } = startFeedback();
      let count = 0;
      const row = () => ({ ...FEEDBACK, text, id: `fb-${count++}`, createdAt: '2026-01-01T00:00:00.000Z' });
      const exportable = async (limit: number) => Array.from({ length: limit }, row);
      return start({ feedback: { ...service, exportable }, limits: { ...PATIENT, ...limits } });
    }

    it.each([{ requestTimeoutMs: 100 }, { streamTimeoutMs: 100 }])('ends in an error after %j', async (limits) => {
      const under = startEndless('a text', limits);
      const answer = await under.admin('/v1/feedback/export');
      const reader = answer.body!.getReader();
      expect((await reader.read()).done).toBe(false);
      await under.lifecycle.idle();
      const last = new TextDecoder().decode((await reader.read()).value);
      expect(JSON.parse(last)).toMatchObject({ error: { code: 'deadline_exceeded' } });
      expect((await reader.read()).done).toBe(true);
      expect(await under.metrics.render()).toContain('guardrail_requests_in_flight 0');
    });

    it('ends the connection, so that the server can close', async () => {
      const under = startEndless('x'.repeat(60_000), { requestTimeoutMs: 300 });
      const server = await listen(under.app, '127.0.0.1', 0);
      onTestFinished(() => server.close(0));
      const client = connect(server.port, '127.0.0.1');
      onTestFinished(() => void client.destroy());
      const keyed = `authorization: ${ADMIN.authorization}`;
      client.write(`GET /v1/feedback/export HTTP/1.1\r\nhost: x\r\n${keyed}\r\n\r\n`);
      await once(client, 'data');
      client.pause();
      // Far longer than a test may take.
      await server.close(3_600_000);
      expect(await under.metrics.render()).toContain('guardrail_requests_in_flight 0');
    });
  });
});

const FEEDBACK = {
  verdictId: null,
  item: 0,
  kind: 'prompt',
  lang: 'en',
  unsafe: false,
  categories: [],
  checkpoint: null,
  scores: null,
  note: null,
} as const;

it('a database that cannot be used is 503 with Retry-After, and the log has its code and no text', async () => {
  const { service } = startFeedback({ open: (onEnd) => openEmbedded('/dev/null/sub/feedback.db', onEnd) });
  const under = start({ feedback: service });
  const answer = await under.say({ ...SAFE, text: 'zqx planted marker' });
  expect(answer.status).toBe(503);
  expect(answer.headers.get('retry-after')).toBe('5');
  expect((await errorOf(answer)).code).toBe('feedback_unavailable');
  expect(under.lines.join()).not.toContain('zqx');
});

it('the client sends feedback', async () => {
  const under = start();
  const server = await listen(under.app, '127.0.0.1', 0);
  onTestFinished(() => server.close(0));
  const baseUrl = `http://127.0.0.1:${server.port}`;
  const client = createClient({ baseUrl, apiKey: 'feedback-key', timeoutMs: 50_000 });
  const receipt = await client.feedback(SAFE, { idempotencyKey: 'k-1' });
  expect(receipt).toMatchObject({ created: true, text_known: true });
  expect(await client.feedback(SAFE, { idempotencyKey: 'k-1' })).toEqual({ ...receipt, created: false });
  await expect(client.feedback({ ...SAFE, text: 'b' }, { idempotencyKey: 'k-1' })).rejects.toMatchObject({
    code: 'idempotency_key_reused',
  });
});
