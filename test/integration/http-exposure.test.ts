import { describe, expect, it } from 'vitest';
import { findKey, parseApiKeys } from '../../src/http/api-keys.ts';
import { createCors } from '../../src/http/cors.ts';
import { createRateLimits, type RateLimitOptions } from '../../src/http/rate-limits.ts';
import { createMetrics } from '../../src/telemetry/metrics.ts';
import { createAppUnderTest, errorOf, post } from '../support/app-under-test.ts';
import { createClassifierDouble } from '../support/classifier-double.ts';

const ORIGIN = 'https://app.example';

describe('rate limits', () => {
  function createLimited(limits: Partial<RateLimitOptions>, apiKeys: readonly string[] = []) {
    const classifier = createClassifierDouble();
    const keys = parseApiKeys(apiKeys);
    const metrics = createMetrics();
    const countRequest = createRateLimits({
      perKey: 0,
      perAddress: 0,
      trustedProxies: 1,
      findKey: (headers) => findKey(keys, headers),
      onLimited: metrics.recordRateLimited,
      clock: () => 1234.567,
      ...limits,
    });
    return { ...createAppUnderTest({ classifier, apiKeys, metrics, countRequest }), classifier };
  }
  const from = (address: string) => ({ 'x-forwarded-for': address });

  it('says how much is left, then answers 429 with a time', async () => {
    const { classify, classifier, metrics } = createLimited({ perAddress: 2 });
    const first = await classify({ input: 'a' }, from('1.1.1.1'));
    expect(rateOf(first)).toEqual(['2', '1', '30']);
    await classify({ input: 'a' }, from('1.1.1.1'));
    const refused = await classify({ input: 'a' }, from('1.1.1.1'));
    expect([refused.status, (await errorOf(refused)).code]).toEqual([429, 'rate_limited']);
    expect(refused.headers.get('retry-after')).toBe('30');
    expect(rateOf(refused)).toEqual(['2', '0', '60']);
    expect((await classify({ input: 'a' }, from('2.2.2.2'))).status).toBe(200);
    expect(classifier.requests).toHaveLength(3);
    expect(await metrics.render()).toContain('guardrail_rate_limited_total{limit="address"} 1');
  });

  it('counts what is refused, so that keys cannot be tried at will', async () => {
    const { classify } = createLimited({ perAddress: 2 }, ['right-key']);
    const attempt = async (key: string) => (await classify({ input: 'a' }, { 'x-api-key': key })).status;
    expect([await attempt('wrong'), await attempt('wrong'), await attempt('right-key')]).toEqual([401, 401, 429]);
  });

  it('counts keys apart, whatever their address', async () => {
    const { classify, metrics } = createLimited({ perKey: 1 }, ['key-one', 'key-two']);
    const attempt = async (key: string, address: string) =>
      (await classify({ input: 'a' }, { 'x-api-key': key, ...from(address) })).status;
    expect(await attempt('key-one', '1.1.1.1')).toBe(200);
    expect(await attempt('key-one', '2.2.2.2')).toBe(429);
    expect(await attempt('key-two', '1.1.1.1')).toBe(200);
    expect(await metrics.render()).toContain('guardrail_rate_limited_total{limit="key"} 1');
  });

  it('tells of the limit that is nearer', async () => {
    const { classify } = createLimited({ perAddress: 10, perKey: 3 }, ['key-one', 'key-two']);
    const rate = async (key: string) => rateOf(await classify({ input: 'a' }, { 'x-api-key': key }));
    expect((await rate('key-one')).slice(0, 2)).toEqual(['3', '2']);
    const loose = createLimited({ perAddress: 2, perKey: 30 }, ['key-one']);
    expect(rateOf(await loose.classify({ input: 'a' }, { 'x-api-key': 'key-one' })).slice(0, 2)).toEqual(['2', '1']);
  });

  it('leaves probes alone, and nothing says a rate that nobody limits', async () => {
    const { app } = createLimited({ perAddress: 1 });
    for (let time = 0; time < 3; time++) expect((await app.request('/readyz')).status).toBe(200);
    expect(rateOf(await createAppUnderTest().classify({ input: 'a' }))).toEqual([null, null, null]);
  });

  it('is no answer to a gateway that reads 429 as one', async () => {
    const { app } = createLimited({ perAddress: 1 });
    const ask = () => app.request('/beta/litellm_basic_guardrail_api', post({ input_type: 'request', texts: ['a'] }));
    expect([(await ask()).status, (await ask()).status]).toEqual([200, 503]);
  });
});

describe('browsers', () => {
  const preflight = {
    method: 'OPTIONS',
    headers: { origin: ORIGIN, 'access-control-request-method': 'POST', 'access-control-request-headers': 'x-api-key' },
  };

  it('are kept out unless an origin is listed', async () => {
    const { app, classify } = createAppUnderTest();
    const answer = await classify({ input: 'a' }, { origin: ORIGIN });
    expect([...answer.headers.keys()].filter((name) => name.startsWith('access-control'))).toEqual([]);
    expect((await app.request('/classify', preflight)).status).toBe(405);
  });

  it('let a listed origin send and read, also what went wrong', async () => {
    const { app, classify } = createAppUnderTest({ cors: createCors([ORIGIN]), apiKeys: ['right-key'] });
    const asked = await app.request('/classify', preflight);
    expect(asked.status).toBe(204);
    expect(await asked.text()).toBe('');
    expect(Object.fromEntries(asked.headers)).toMatchObject({
      'access-control-allow-origin': ORIGIN,
      'access-control-allow-methods': 'POST',
      'access-control-allow-headers': expect.stringContaining('x-api-key'),
      vary: 'origin',
    });
    for (const [key, status] of [
      ['right-key', 200],
      ['wrong-key', 401],
    ] as const) {
      const answer = await classify({ input: 'a' }, { origin: ORIGIN, 'x-api-key': key });
      expect([answer.status, answer.headers.get('access-control-allow-origin')]).toEqual([status, ORIGIN]);
      expect(answer.headers.get('access-control-expose-headers')).toContain('x-request-id');
      expect(answer.headers.has('access-control-allow-credentials')).toBe(false);
    }
  });

  it.each(['https://evil.example', `${ORIGIN}.evil.example`, 'null', 'http://app.example'])(
    'do not let %s',
    async (origin) => {
      const { app, classify } = createAppUnderTest({ cors: createCors([ORIGIN]) });
      const answer = await classify({ input: 'a' }, { origin });
      expect([answer.headers.get('access-control-allow-origin'), answer.headers.get('vary')]).toEqual([null, 'origin']);
      const asked = await app.request('/classify', { ...preflight, headers: { ...preflight.headers, origin } });
      expect(asked.status).toBe(405);
    },
  );

  it('let everybody when told to', async () => {
    const { classify } = createAppUnderTest({ cors: createCors(['*']) });
    const answer = await classify({ input: 'a' }, { origin: 'https://any.example' });
    expect(answer.headers.get('access-control-allow-origin')).toBe('*');
  });
});

describe('security headers', () => {
  it.each([
    ['an answer', '/classify', post({ input: 'a' }), 200],
    ['an error', '/classify', post('{'), 400],
    ['what is not there', '/nowhere', {}, 404],
    ['a probe', '/livez', {}, 200],
    ['the metrics', '/metrics', {}, 200],
    ['a foreign format', '/v1/moderations', post({ input: 'a' }), 200],
  ])('come with %s', async (_, path, init, status) => {
    const answer = await createAppUnderTest().app.request(path, init as RequestInit);
    expect(answer.status).toBe(status);
    expect(Object.fromEntries(answer.headers)).toMatchObject({
      'x-content-type-options': 'nosniff',
      'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
      'referrer-policy': 'no-referrer',
      'cache-control': 'no-store',
    });
  });
});

function rateOf(answer: Response): (string | null)[] {
  return ['limit', 'remaining', 'reset'].map((name) => answer.headers.get(`ratelimit-${name}`));
}
