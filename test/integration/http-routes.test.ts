import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { createMetricsApp } from '../../src/http/app.ts';
import { Lifecycle } from '../../src/http/lifecycle.ts';
import { CATEGORIES } from '../../src/taxonomy.ts';
import { createAppUnderTest, errorOf, post } from '../support/app-under-test.ts';

describe('status routes', () => {
  it('is alive in every state and ready only when it is', async () => {
    const lifecycle = new Lifecycle();
    const { app } = createAppUnderTest({ lifecycle });
    const codes = async () => [(await app.request('/livez')).status, (await app.request('/readyz')).status];
    expect(await codes()).toEqual([200, 503]);
    lifecycle.ready();
    expect(await codes()).toEqual([200, 200]);
    lifecycle.drain();
    expect(await codes()).toEqual([200, 503]);
    lifecycle.refuse();
    expect(await codes()).toEqual([200, 503]);
  });

  it('classifies while draining and answers 503 before and after', async () => {
    const lifecycle = new Lifecycle();
    const { classify } = createAppUnderTest({ lifecycle });
    const early = await classify({ input: 'a' });
    expect([early.status, (await errorOf(early)).code]).toEqual([503, 'not_ready']);
    expect(early.headers.get('retry-after')).toBe('1');

    lifecycle.ready();
    lifecycle.drain();
    const draining = await classify({ input: 'a' });
    expect(draining.status).toBe(200);
    expect(draining.headers.get('connection')).toBe('close');

    lifecycle.refuse();
    const late = await classify({ input: 'a' });
    expect([late.status, (await errorOf(late)).code]).toEqual([503, 'shutting_down']);
    expect(late.headers.get('retry-after')).toBe('1');
  });

  it('tells what it serves', async () => {
    const { app } = createAppUnderTest();
    const info = (await (await app.request('/info')).json()) as Record<string, unknown>;
    expect(info).toMatchObject({
      name: 'duoguard',
      version: '0.0.0-test',
      labels: CATEGORIES,
      checkpoint: { id: 'double-1', max_tokens: 128 },
      limits: { max_items: 32, max_body_bytes: 2_097_152 },
    });
  });

  it('answers 404 and 405 in the same format', async () => {
    const { app } = createAppUnderTest();
    const missing = await app.request('/nowhere');
    expect([missing.status, (await errorOf(missing)).code]).toEqual([404, 'not_found']);
    const wrong = await app.request('/classify');
    expect([wrong.status, (await errorOf(wrong)).code]).toEqual([405, 'method_not_allowed']);
    expect(wrong.headers.get('allow')).toBe('POST');
    expect((await app.request('/livez', { method: 'DELETE' })).headers.get('allow')).toBe('GET, HEAD');
    expect((await app.request('/livez', { method: 'HEAD' })).status).toBe(200);
  });

  it('serves the metrics on a port of their own when told to', async () => {
    const under = createAppUnderTest({ serveMetrics: false });
    expect((await under.app.request('/metrics')).status).toBe(404);
    const alone = createMetricsApp(under);
    expect((await alone.request('/metrics')).status).toBe(200);
    expect((await alone.request('/classify', post({ input: 'a' }))).status).toBe(404);
  });
});

describe('API keys', () => {
  const digest = createHash('sha256').update('hashed-key').digest('hex');
  const apiKeys = ['clear-key', `sha256:${digest}`];

  it.each([
    ['none', {}, 401],
    ['a wrong one', { authorization: 'Bearer wrong' }, 401],
    ['the digest itself', { authorization: `Bearer sha256:${digest}` }, 401],
    ['a key in clear', { authorization: 'Bearer clear-key' }, 200],
    ['a hashed key', { authorization: 'bearer hashed-key' }, 200],
    ['x-api-key', { 'x-api-key': 'hashed-key' }, 200],
  ])('%s', async (_, headers, status) => {
    const { classify } = createAppUnderTest({ apiKeys });
    const response = await classify({ input: 'a' }, headers as Record<string, string>);
    expect(response.status).toBe(status);
    if (status === 401) {
      expect(response.headers.get('www-authenticate')).toBe('Bearer');
      expect(await errorOf(response)).toMatchObject({ code: 'unauthorized' });
    }
  });

  it('asks for the scope metrics on the main port, and for nothing on a port of its own', async () => {
    const under = createAppUnderTest({ apiKeys: [...apiKeys, 'metrics=scraper-key'] });
    const status = async (key?: string) =>
      (await under.app.request('/metrics', key === undefined ? {} : { headers: { 'x-api-key': key } })).status;
    expect([await status(), await status('clear-key'), await status('scraper-key')]).toEqual([401, 403, 200]);
    expect((await createMetricsApp(under).request('/metrics')).status).toBe(200);
  });

  it('leaves probes open', async () => {
    const { app } = createAppUnderTest({ apiKeys });
    expect((await app.request('/livez')).status).toBe(200);
  });

  it('refuses to start with a digest that is not one', () => {
    expect(() => createAppUnderTest({ apiKeys: ['sha256:zz'] })).toThrow(/64 hex digits/);
  });
});
