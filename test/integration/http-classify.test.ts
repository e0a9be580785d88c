import { describe, expect, it } from 'vitest';
import { DuoguardError } from '../../src/errors.ts';
import { createAppUnderTest, errorOf } from '../support/app-under-test.ts';
import { createClassifierDouble, waitForAbort } from '../support/classifier-double.ts';

const HATEFUL = 'a hateful remark';

describe('POST /classify', () => {
  it('answers a string with one result, ids, usage and timings', async () => {
    const { classify } = createAppUnderTest();
    const response = await classify({ input: HATEFUL });
    expect(response.status).toBe(200);
    const answer = (await response.json()) as Record<string, unknown>;
    expect(Object.keys(answer)).toEqual([
      'id',
      'model',
      'checkpoint',
      'policy',
      'results',
      'offset_unit',
      'usage',
      'timing_ms',
    ]);
    expect(answer).toMatchObject({
      id: expect.stringMatching(/^cls-[0-9a-f-]{36}$/),
      model: 'duoguard',
      checkpoint: 'double-1',
      policy: 'default',
      offset_unit: 'codepoint',
      usage: { tokens: 7 },
      timing_ms: { tokenization: 0.25, queue: 0.5, inference: 2, total: expect.any(Number) },
    });
    expect(answer['results']).toMatchObject([{ index: 0, flagged: true, action: 'block', top_category: 'hate' }]);
  });

  it('tells the version and the timings in headers too', async () => {
    const { classify } = createAppUnderTest();
    const { headers } = await classify({ input: 'hello' });
    expect(headers.get('x-model-version')).toBe('double-1');
    expect(headers.get('x-tokenization-time')).toBe('0.25');
    expect(headers.get('x-queue-time')).toBe('0.5');
    expect(headers.get('x-inference-time')).toBe('2');
    expect(headers.get('x-compute-tokens')).toBe('7');
    expect(Number(headers.get('x-total-time'))).toBeGreaterThan(0);
  });

  it('keeps a sane request id of the client and replaces any other', async () => {
    const { classify } = createAppUnderTest();
    const kept = await classify({ input: 'hello' }, { 'x-request-id': 'trace-1.a:b' });
    expect(kept.headers.get('x-request-id')).toBe('trace-1.a:b');
    for (const bad of ['has spaces', 'x'.repeat(129), '<script>']) {
      const replaced = await classify({ input: 'hello' }, { 'x-request-id': bad });
      expect(replaced.headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/);
    }
  });

  it.each([
    ['a string', 'hello', ['hello']],
    ['an array', ['one', 'two'], ['one', 'two']],
    [
      'a conversation',
      { messages: [{ role: 'user', content: 'hi' }] },
      [{ messages: [{ role: 'user', content: 'hi' }] }],
    ],
    ['a pair', { prompt: 'q', response: 'a' }, [{ prompt: 'q', response: 'a' }]],
    [
      'an array of shapes',
      ['t', { prompt: '', response: 'a' }, { messages: [{ role: 'system', content: 'm' }] }],
      ['t', { prompt: '', response: 'a' }, { messages: [{ role: 'system', content: 'm' }] }],
    ],
  ])('hands %s to the classifier', async (_, input, items) => {
    const { classify, classifier } = createAppUnderTest();
    const response = await classify({ input });
    expect(response.status).toBe(200);
    expect((classifier as ReturnType<typeof createClassifierDouble>).requests[0]?.items).toEqual(items);
  });

  it('hands over thresholds, categories and long_input', async () => {
    const classifier = createClassifierDouble();
    const { classify } = createAppUnderTest({ classifier });
    await classify({ input: 'a', thresholds: { hate: 0.3 }, categories: ['hate', 'privacy'], long_input: 'reject' });
    await classify({ input: 'a', policy: 'default' });
    expect(classifier.requests[0]).toMatchObject({
      thresholds: { hate: 0.3 },
      categories: ['hate', 'privacy'],
      longInput: 'reject',
    });
    expect(classifier.requests[1]).toMatchObject({ longInput: 'window' });
    expect(classifier.requests[1]).not.toHaveProperty('thresholds');
  });

  it('hands over explain when it is asked for', async () => {
    const classifier = createClassifierDouble();
    const { classify } = createAppUnderTest({ classifier });
    await classify({ input: 'a', explain: true });
    await classify({ input: 'a', explain: false });
    expect(classifier.requests.map(({ explain = false }) => explain)).toEqual([true, false]);
  });

  it.each([
    ['NUL bytes', 'a\u0000b', 'a\u0000b'],
    ['right-to-left overrides', 'a\u202Etxt', 'a\u202Etxt'],
    ['1,000 zero-width characters', '\u200B'.repeat(1000), '\u200B'.repeat(1000)],
    ['100,000 characters of one letter', 'a'.repeat(100_000), 'a'.repeat(100_000)],
    ['lone surrogates, replaced one for one', 'x\uD800y\uDC00z😀', 'x\uFFFDy\uFFFDz😀'],
  ])('accepts %s', async (_, input, received) => {
    const classifier = createClassifierDouble();
    const { classify } = createAppUnderTest({ classifier });
    const response = await classify({ input });
    expect(response.status).toBe(200);
    expect(classifier.requests[0]?.items).toEqual([received]);
  });

  it.each([
    ['wrong type', { input: 7 }, 'input'],
    ['no input', {}, 'input'],
    ['an array as the body', [], 'body'],
    ['null as the body', 'null', 'body'],
    ['an empty string', { input: '' }, 'input'],
    ['an empty array', { input: [] }, 'input'],
    ['a number in an array', { input: ['a', 7] }, 'input[1]'],
    ['a nested array', { input: [['a']] }, 'input[0]'],
    ['an empty object', { input: {} }, 'input'],
    ['no messages', { input: { messages: [] } }, 'input.messages'],
    ['only empty messages', { input: { messages: [{ role: 'user', content: '' }] } }, 'input.messages'],
    [
      'content of the wrong type',
      { input: [{ messages: [{ role: 'user', content: 1 }] }] },
      'input[0].messages[0].content',
    ],
    ['a message without a role', { input: { messages: [{ content: 'a' }] } }, 'input.messages[0].role'],
    ['a pair without a response', { input: { prompt: 'a' } }, 'input.response'],
    ['an empty response', { input: { prompt: 'a', response: '' } }, 'input.response'],
    ['an unknown field', { input: 'a', explane: true }, 'explane'],
    ['an unknown field of a pair', { input: { prompt: 'a', response: 'b', extra: 1 } }, 'input.extra'],
    ['an unknown category in thresholds', { input: 'a', thresholds: { violence: 0.5 } }, 'thresholds.violence'],
    ['a threshold above 1', { input: 'a', thresholds: { hate: 1.5 } }, 'thresholds.hate'],
    ['an unknown category', { input: 'a', categories: ['hate', 'violence'] }, 'categories[1]'],
    ['no categories', { input: 'a', categories: [] }, 'categories'],
    ['another policy', { input: 'a', policy: 'strict' }, 'policy'],
    ['an unknown long_input', { input: 'a', long_input: 'cut' }, 'long_input'],
    ['an explain that is neither true nor false', { input: 'a', explain: 'yes' }, 'explain'],
    ['a prototype key', '{"input":"a","__proto__":{"x":1}}', '__proto__'],
  ])('refuses %s with 422 naming the field', async (_, body, field) => {
    const { classify, classifier } = createAppUnderTest();
    const response = await classify(body);
    expect(response.status).toBe(422);
    const error = await errorOf(response);
    expect(error).toMatchObject({ code: 'invalid_request', param: field, doc: 'docs/errors.md#invalid_request' });
    expect(error.message).toContain(field);
    expect(error.request_id).toBe(response.headers.get('x-request-id'));
    expect((classifier as ReturnType<typeof createClassifierDouble>).requests).toHaveLength(0);
  });

  it('does not repeat a made-up field name that could be a text', async () => {
    const { classify } = createAppUnderTest();
    const error = await errorOf(await classify({ input: 'a', 'my secret is 42': 1 }));
    expect(JSON.stringify(error)).not.toContain('secret');
  });

  it('takes 32 items and refuses 33', async () => {
    const { classify } = createAppUnderTest();
    expect((await classify({ input: Array(32).fill('a') })).status).toBe(200);
    const refused = await classify({ input: Array(33).fill('a') });
    expect(refused.status).toBe(422);
    expect(await errorOf(refused)).toMatchObject({ code: 'too_many_items', param: 'input' });
  });

  it.each([
    ['text that is not JSON', 'hello', 'invalid_json'],
    ['an empty body', '', 'invalid_json'],
    ['half a body', '{"input":"a', 'invalid_json'],
    ['bytes that are not UTF-8', new Uint8Array([0x22, 0xff, 0xfe, 0x22]), 'invalid_json'],
    ['100,000 nested arrays', '['.repeat(100_000), 'invalid_json'],
    ['nesting that is closed again', `{"input":${'['.repeat(40)}${']'.repeat(40)}}`, 'invalid_json'],
  ])('answers 400 to %s', async (_, body, code) => {
    const { classify } = createAppUnderTest();
    const response = await classify(body);
    expect(response.status).toBe(400);
    expect(await errorOf(response)).toMatchObject({ code });
  });

  it.each(['text/plain', 'application/x-www-form-urlencoded', 'application/json; charset=latin1', ''])(
    'answers 415 to content type "%s"',
    async (type) => {
      const { classify } = createAppUnderTest();
      const response = await classify({ input: 'a' }, { 'content-type': type });
      expect(response.status).toBe(415);
      expect(await errorOf(response)).toMatchObject({ code: 'unsupported_media_type' });
    },
  );

  it('answers 413 to a body that is too large, declared or not', async () => {
    const { classify } = createAppUnderTest();
    const large = JSON.stringify({ input: 'a'.repeat(3_000_000) });
    for (const headers of [{ 'content-length': String(large.length) }, {}]) {
      const response = await classify(large, headers as Record<string, string>);
      expect(response.status).toBe(413);
      expect(await errorOf(response)).toMatchObject({ code: 'payload_too_large' });
    }
  });

  it('passes on a full queue as 429 with Retry-After', async () => {
    const { classify } = createAppUnderTest({
      classifier: createClassifierDouble(async () => {
        throw new DuoguardError('overloaded', { details: { retryAfterSeconds: 2.2 } });
      }),
    });
    const response = await classify({ input: 'a' });
    expect(response.status).toBe(429);
    expect(response.headers.get('retry-after')).toBe('3');
    expect(await errorOf(response)).toMatchObject({ code: 'overloaded' });
  });

  it('answers 504 when the deadline of the request passes, and tells the classifier', async () => {
    const classifier = createClassifierDouble(waitForAbort);
    const { classify } = createAppUnderTest({ classifier });
    const response = await classify({ input: 'a' }, { 'x-request-deadline-ms': '20' });
    expect(response.status).toBe(504);
    expect(await errorOf(response)).toMatchObject({ code: 'deadline_exceeded' });
    expect(classifier.requests[0]?.signal.aborted).toBe(true);
  });

  it('answers 504 on time even when the classifier does not listen', async () => {
    const { classify } = createAppUnderTest({
      classifier: createClassifierDouble(() => new Promise(() => {})),
      limits: { maxBodyBytes: 1000, maxItems: 1, requestTimeoutMs: 20, streamTimeoutMs: 5_000 },
    });
    expect((await classify({ input: 'a' })).status).toBe(504);
  });

  it.each(['soon', '-1', '1.5', ''])('refuses the deadline "%s"', async (value) => {
    const { classify } = createAppUnderTest();
    const response = await classify({ input: 'a' }, { 'x-request-deadline-ms': value });
    expect(response.status).toBe(422);
    expect(await errorOf(response)).toMatchObject({ param: 'x-request-deadline-ms' });
  });

  it('does not show the message of an unforeseen failure', async () => {
    const { classify, lines } = createAppUnderTest({
      classifier: createClassifierDouble(async () => {
        throw new TypeError('cannot read "planted text"');
      }),
    });
    const response = await classify({ input: 'planted text' });
    expect(response.status).toBe(500);
    expect(await errorOf(response)).toMatchObject({ code: 'internal_error' });
    expect(lines.join('')).toContain('TypeError');
    expect(lines.join('')).not.toContain('planted text');
  });

  it('lets an item fail without failing the batch', async () => {
    const failure = { index: 1, error: { code: 'input_too_long', message: 'too long' } };
    const { classify, metrics } = createAppUnderTest({
      classifier: createClassifierDouble(async () => ({
        checkpoint: 'double-1',
        results: [failure],
        usage: { tokens: 0 },
        timing_ms: { tokenization: 0, queue: 0, inference: 0, total: 0 },
      })),
    });
    const response = await classify({ input: ['a', 'b'] });
    expect(response.status).toBe(200);
    expect(((await response.json()) as { results: unknown[] }).results).toEqual([failure]);
    expect(await metrics.render()).not.toContain('guardrail_decisions_total{');
  });
});
