import { describe, expect, it } from 'vitest';
import { DuoguardError, type ErrorCode } from '../../src/errors.ts';
import { createAppUnderTest, post } from '../support/app-under-test.ts';
import { createClassifierDouble, verdictFor } from '../support/classifier-double.ts';

const LITELLM = '/beta/litellm_basic_guardrail_api';
const failing = (code: ErrorCode) =>
  createClassifierDouble(async () => {
    throw new DuoguardError(code);
  });
/** The first item fails; the others are judged. */
const failingItem = () =>
  createClassifierDouble(async (request) => {
    const verdict = verdictFor(request);
    const failure = { index: 0, error: { code: 'inference_failed', message: 'x' } };
    return { ...verdict, results: [failure, ...verdict.results.slice(1)] };
  });

describe(`POST ${LITELLM}`, () => {
  it('lets calm texts pass and blocks others with the categories, never the text', async () => {
    const { app } = createAppUnderTest();
    const calm = await app.request(LITELLM, post({ input_type: 'request', texts: ['hello', 'bye'] }));
    expect(calm.status).toBe(200);
    expect(await calm.json()).toStrictEqual({ action: 'NONE' });
    const blocked = await app.request(LITELLM, post({ input_type: 'response', texts: ['hello', 'hateful words'] }));
    expect(blocked.status).toBe(200);
    expect(blocked.headers.get('x-model-version')).toBe('double-1');
    expect(await blocked.json()).toStrictEqual({ action: 'BLOCKED', blocked_reason: 'Blocked by duoguard: hate' });
  });

  it('reads what LiteLLM sends, nulls and unknown fields included', async () => {
    const classifier = createClassifierDouble();
    const { app } = createAppUnderTest({ classifier });
    const full = {
      input_type: 'request',
      texts: ['one', null, '', 'two'],
      structured_messages: [{ role: 'user', content: [{ type: 'text', text: 'one' }] }],
      images: null,
      tools: null,
      tool_calls: null,
      request_data: { user_api_key_hash: null },
      litellm_call_id: null,
      litellm_trace_id: null,
      model: null,
      additional_provider_specific_params: { policy: 'default' },
      a_field_of_tomorrow: {},
    };
    expect(await (await app.request(LITELLM, post(full))).json()).toStrictEqual({ action: 'NONE' });
    expect(classifier.requests[0]).toMatchObject({ items: ['one', 'two'], longInput: 'window' });
    for (const texts of [null, [], [''], [null], undefined]) {
      const response = await app.request(LITELLM, post({ input_type: 'request', texts }));
      expect([response.status, await response.json()]).toEqual([200, { action: 'NONE' }]);
    }
    expect(classifier.requests).toHaveLength(1);
  });

  it.each<[ErrorCode, number]>([
    ['overloaded', 503],
    ['rate_limited', 503],
    ['not_ready', 503],
    ['shutting_down', 503],
    ['internal_error', 503],
    ['inference_failed', 503],
    ['worker_crashed', 503],
    ['deadline_exceeded', 504],
  ])('answers %s with %i, which LiteLLM takes for unreachable', async (code, status) => {
    const { app } = createAppUnderTest({ classifier: failing(code) });
    const response = await app.request(LITELLM, post({ input_type: 'request', texts: ['a'] }));
    expect(response.status).toBe(status);
    expect(await response.json()).toMatchObject({ error: { code } });
  });

  it('does not let an item pass that could not be judged, and blocks if another one flags', async () => {
    const { app } = createAppUnderTest({ classifier: failingItem() });
    const send = (texts: string[]) => app.request(LITELLM, post({ input_type: 'request', texts }));
    expect((await send(['a', 'b'])).status).toBe(503);
    expect(await (await send(['a', 'hateful'])).json()).toMatchObject({ action: 'BLOCKED' });
  });

  it.each([
    ['no input_type', { texts: ['a'] }],
    ['another input_type', { input_type: 'both', texts: ['a'] }],
    ['a number among the texts', { input_type: 'request', texts: [1] }],
    ['33 texts', { input_type: 'request', texts: Array(33).fill('a') }],
  ])('refuses %s', async (_, body) => {
    const { app } = createAppUnderTest();
    const response = await app.request(LITELLM, post(body));
    expect(response.status).toBe(422);
    expect(await response.json()).not.toHaveProperty('action');
  });

  it('takes the key in either header', async () => {
    const { app } = createAppUnderTest({ apiKeys: ['key'] });
    const status = async (headers: Record<string, string>) =>
      (await app.request(LITELLM, post({ input_type: 'request', texts: [] }, headers))).status;
    expect(await status({ 'x-api-key': 'key' })).toBe(200);
    expect(await status({ authorization: 'Bearer key' })).toBe(200);
    expect(await status({ 'x-api-key': 'wrong' })).toBe(401);
    expect(await status({})).toBe(401);
  });
});

describe('the hooks of agentgateway', () => {
  const prompt = (...contents: string[]) => ({
    body: { messages: contents.map((content) => ({ role: 'user', content })) },
  });
  const choices = (...contents: string[]) => ({
    body: { choices: contents.map((content) => ({ message: { role: 'assistant', content } })) },
  });

  it('passes with exactly this JSON', async () => {
    const { app } = createAppUnderTest();
    for (const [path, body] of [
      ['/request', prompt('hello')],
      ['/response', choices('hello')],
    ] as const) {
      const response = await app.request(path, post(body));
      expect(response.status).toBe(200);
      expect(await response.text()).toBe('{"action":{"reason":"no category fired"}}');
    }
  });

  it('rejects with exactly this JSON', async () => {
    const { app } = createAppUnderTest();
    for (const [path, body] of [
      ['/request', prompt('hello', 'hateful')],
      ['/response', choices('hello', 'hateful')],
    ] as const) {
      const response = await app.request(path, post(body));
      expect(response.status).toBe(200);
      expect(await response.text()).toBe(
        '{"action":{"body":"Blocked by duoguard: hate","status_code":403,"reason":"hate"}}',
      );
    }
  });

  it('judges a conversation as one and each choice alone', async () => {
    const classifier = createClassifierDouble();
    const { app } = createAppUnderTest({ classifier });
    await app.request('/request', post(prompt('one', '')));
    await app.request('/response', post(choices('one', '', 'two')));
    expect(classifier.requests.map(({ items }) => items)).toEqual([[prompt('one', '').body], ['one', 'two']]);
  });

  it('passes what has no text', async () => {
    const classifier = createClassifierDouble();
    const { app } = createAppUnderTest({ classifier });
    for (const [path, body] of [
      ['/request', prompt()],
      ['/request', prompt('')],
      ['/response', choices('')],
    ] as const) {
      expect(await (await app.request(path, post(body))).text()).toBe('{"action":{"reason":"there is no text"}}');
    }
    expect(classifier.requests).toHaveLength(0);
  });

  it('never has an action in an error: the gateway would read it as a pass', async () => {
    for (const path of ['/request', '/response']) {
      const answers = [
        await createAppUnderTest().app.request(path, post({ messages: [] })),
        await createAppUnderTest().app.request(path),
        await createAppUnderTest({ apiKeys: ['key'] }).app.request(path, post(prompt('a'))),
        await createAppUnderTest({ classifier: failing('overloaded') }).app.request(
          path,
          post({ body: { ...prompt('a').body, ...choices('a').body } }),
        ),
      ];
      expect(answers.map(({ status }) => status)).toEqual([422, 405, 401, 429]);
      for (const answer of answers) expect(await answer.json()).not.toHaveProperty('action');
    }
  });

  it('refuses more than 32 choices', async () => {
    const { app } = createAppUnderTest();
    expect((await app.request('/response', post(choices(...Array(33).fill('a'))))).status).toBe(422);
  });
});
