import OpenAI from 'openai';
import { afterEach, describe, expect, it } from 'vitest';
import { DuoguardError } from '../../src/errors.ts';
import { listen } from '../../src/http/server.ts';
import { createAppUnderTest } from '../support/app-under-test.ts';
import { createClassifierDouble, verdictFor } from '../support/classifier-double.ts';

const cleanup: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const step of cleanup.splice(0)) await step();
});

const KEY = 'a-key-of-the-server';

/** The client as its users have it, but for the address. */
async function openai(
  overrides: Parameters<typeof createAppUnderTest>[0] = {},
  options: { readonly apiKey?: string; readonly maxRetries?: number; readonly defaultQuery?: { strict: string } } = {},
) {
  const { app } = createAppUnderTest({ apiKeys: [KEY], ...overrides });
  const server = await listen(app, '127.0.0.1', 0);
  cleanup.push(() => server.close(0));
  return new OpenAI({ apiKey: KEY, maxRetries: 0, ...options, baseURL: `http://127.0.0.1:${server.port}/v1` });
}

/** The error that the client throws. */
async function failure(asked: Promise<unknown>): Promise<InstanceType<typeof OpenAI.APIError>> {
  const error = await asked.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(OpenAI.APIError);
  return error as InstanceType<typeof OpenAI.APIError>;
}

describe("OpenAI's own client", () => {
  it('moderates one text', async () => {
    const client = await openai();
    const moderation = await client.moderations.create({ model: 'omni-moderation-latest', input: 'a hateful text' });
    expect(moderation.id).toMatch(/^modr-/);
    const [result] = moderation.results;
    expect(result?.flagged).toBe(true);
    expect(result?.categories.hate).toBe(true);
    expect(result?.categories['self-harm/intent']).toBe(false);
    expect(result?.category_scores.hate).toBe(0.9);
    expect(result?.category_applied_input_types.hate).toEqual(['text']);
  });

  it('moderates several texts in order, and the parts of one message together', async () => {
    const client = await openai();
    const { results } = await client.moderations.create({ input: ['calm', 'hateful', 'calm'] });
    expect(results.map((result) => result.flagged)).toEqual([false, true, false]);
    const parts = [
      { type: 'text' as const, text: 'calm' },
      { type: 'text' as const, text: 'hateful' },
    ];
    expect((await client.moderations.create({ input: parts })).results.map(({ flagged }) => flagged)).toEqual([true]);
  });

  it('gets the 13 keys of OpenAI and no others in strict mode, and may send no field that OpenAI does not know', async () => {
    const client = await openai({}, { defaultQuery: { strict: 'true' } });
    const [result] = (await client.moderations.create({ input: [{ type: 'text', text: 'hateful' }] })).results;
    expect(result).toMatchObject({ flagged: true, categories: { hate: true } });
    for (const part of [result?.categories, result?.category_scores, result?.category_applied_input_types]) {
      expect(Object.keys(part ?? {})).toHaveLength(13);
      expect(part).not.toHaveProperty('violent_crimes');
    }
    const unknown = { input: 'calm', policy: 'lenient' } as OpenAI.ModerationCreateParams;
    const error = await failure(client.moderations.create(unknown));
    expect(error).toMatchObject({ status: 400, code: 'invalid_request', param: 'policy' });
    expect((await (await openai()).moderations.create(unknown)).results).toHaveLength(1);
    const image = { type: 'image_url' as const, image_url: { url: 'https://example.org/a.png' } };
    expect((await failure(client.moderations.create({ input: [image] }))).message).toContain('images');
  });

  it('gives the headers of the answer', async () => {
    const { response, request_id } = await (await openai()).moderations.create({ input: 'calm' }).withResponse();
    expect(response.headers.get('x-model-version')).toBe('double-1');
    expect(request_id).toBe(response.headers.get('x-request-id'));
  });

  it('throws its BadRequestError for what is not supported, naming the field', async () => {
    const client = await openai();
    const image = { type: 'image_url' as const, image_url: { url: 'https://example.org/a.png' } };
    const error = await failure(client.moderations.create({ input: [image] }));
    expect(error).toBeInstanceOf(OpenAI.BadRequestError);
    expect(error).toMatchObject({
      status: 400,
      code: 'invalid_request',
      type: 'invalid_request_error',
      param: 'input[0]',
      requestID: expect.stringMatching(/^[0-9a-f-]{36}$/),
    });
    expect(error.message).toContain('images are not supported');
  });

  it('throws its AuthenticationError for a wrong key', async () => {
    const client = await openai({}, { apiKey: 'another-key' });
    const error = await failure(client.moderations.create({ input: 'calm' }));
    expect(error).toBeInstanceOf(OpenAI.AuthenticationError);
    expect(error).toMatchObject({ status: 401, code: 'invalid_api_key' });
  });

  it('throws its RateLimitError when the queue is full, and its InternalServerError for a failure', async () => {
    const failing = (code: 'overloaded' | 'internal_error') =>
      openai({ classifier: createClassifierDouble(() => Promise.reject(new DuoguardError(code))) });
    const full = await failure((await failing('overloaded')).moderations.create({ input: 'calm' }));
    expect(full).toBeInstanceOf(OpenAI.RateLimitError);
    expect(full).toMatchObject({ status: 429, code: 'overloaded', type: 'rate_limit_error' });
    const broken = await failure((await failing('internal_error')).moderations.create({ input: 'calm' }));
    expect(broken).toBeInstanceOf(OpenAI.InternalServerError);
  });

  it('tries again by itself when the queue was full', async () => {
    let refusals = 1;
    const classifier = createClassifierDouble(async (request) => {
      if (refusals-- > 0) throw new DuoguardError('overloaded', { details: { retryAfterSeconds: 0.01 } });
      return verdictFor(request);
    });
    const client = await openai({ classifier }, { maxRetries: 1 });
    expect((await client.moderations.create({ input: 'hateful' })).results[0]?.flagged).toBe(true);
    expect(classifier.requests).toHaveLength(2);
  });
});
