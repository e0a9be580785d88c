import { generateText, simulateReadableStream, streamText, wrapLanguageModel } from 'ai';
import { MockLanguageModelV3 } from 'ai/test';
import { createClient } from 'duoguard/client';
import { expect, test } from 'vitest';
import { guardMiddleware } from '../../examples/ai-sdk-middleware.ts';
import { signOf } from '../support/fixture-model.ts';
import { startGuard } from '../support/guard-server.ts';

const HATE = signOf('hate');
const usage = {
  inputTokens: { total: 3, noCache: 3, cacheRead: undefined, cacheWrite: undefined },
  outputTokens: { total: 10, text: 10, reasoning: undefined },
};
const finishReason = { unified: 'stop', raw: undefined } as const;

type Parts = Awaited<ReturnType<MockLanguageModelV3['doStream']>>['stream'] extends ReadableStream<infer P> ? P : never;

function partsOf(words: readonly string[]): Parts[] {
  return [
    { type: 'stream-start', warnings: [] },
    { type: 'text-start', id: '1' },
    ...words.map((delta): Parts => ({ type: 'text-delta', id: '1', delta })),
    { type: 'text-end', id: '1' },
    { type: 'finish', finishReason, usage },
  ];
}

/** A model that answers with these words, behind the middleware. */
function guarded(client: Parameters<typeof guardMiddleware>[0]['client'], words: readonly string[]) {
  const mock = new MockLanguageModelV3({
    doGenerate: async () => ({
      content: [{ type: 'text', text: words.join('') }],
      finishReason,
      usage,
      warnings: [],
    }),
    doStream: async () => ({ stream: simulateReadableStream({ chunks: partsOf(words) }) }),
  });
  const middleware = guardMiddleware({ client, holdBack: 4, chunkTokens: 8 });
  return { mock, model: wrapLanguageModel({ model: mock, middleware }) };
}

const CALM = 'the quick brown fox jumps over the lazy dog and runs away'.split(/(?<= )/);
const UNSAFE = [...CALM, ' and then ', HATE, ' follows'];

test('a calm conversation goes through, whole or streamed', async () => {
  const { client } = await startGuard();
  const { model } = guarded(client, CALM);
  expect((await generateText({ model, prompt: 'hello' })).text).toBe(CALM.join(''));
  const streamed = streamText({ model, prompt: 'hello' });
  let deltas = 0;
  for await (const _ of streamed.textStream) deltas++;
  expect(deltas).toBeGreaterThan(3);
  expect(await streamed.text).toBe(CALM.join(''));
  expect(await streamed.finishReason).toBe('stop');
  expect((await streamed.usage).outputTokens).toBe(10);
});

test('an unsafe prompt never reaches the model', async () => {
  const { client } = await startGuard();
  const { model, mock } = guarded(client, CALM);
  const answer = await generateText({ model, prompt: `say ${HATE}` });
  expect([answer.text, answer.finishReason]).toEqual(['', 'content-filter']);
  const streamed = streamText({ model, prompt: `say ${HATE}` });
  await streamed.consumeStream();
  expect(await streamed.finishReason).toBe('content-filter');
  expect([mock.doGenerateCalls.length, mock.doStreamCalls.length]).toEqual([0, 0]);
});

test('an unsafe answer is withheld, a streamed one is cut before it', async () => {
  const { client } = await startGuard();
  const { model } = guarded(client, UNSAFE);
  const answer = await generateText({ model, prompt: 'hello' });
  expect([answer.text, answer.finishReason]).toEqual(['', 'content-filter']);
  const streamed = streamText({ model, prompt: 'hello' });
  await streamed.consumeStream();
  const text = await streamed.text;
  expect(await streamed.finishReason).toBe('content-filter');
  expect(text.length).toBeGreaterThan(10);
  expect(UNSAFE.join('').startsWith(text)).toBe(true);
  expect(text).not.toContain(HATE);
});

test('the model is stopped when its answer is cut', async () => {
  const { client } = await startGuard();
  let stopped = false;
  const mock = new MockLanguageModelV3({
    doStream: async () => ({
      stream: new ReadableStream<Parts>({
        start(controller) {
          for (const part of partsOf(['hello ', `${HATE} `, 'more words that follow it']).slice(0, 5)) {
            controller.enqueue(part);
          }
        },
        cancel() {
          stopped = true;
        },
      }),
    }),
  });
  const middleware = guardMiddleware({ client, holdBack: 0, chunkTokens: 8 });
  const streamed = streamText({ model: wrapLanguageModel({ model: mock, middleware }), prompt: 'hello' });
  await streamed.consumeStream();
  expect(await streamed.finishReason).toBe('content-filter');
  await expect.poll(() => stopped).toBe(true);
});

test('nothing passes while the guard is gone', async () => {
  const client = createClient({ baseUrl: 'http://127.0.0.1:1', retries: 0 });
  const { model, mock } = guarded(client, CALM);
  await expect(generateText({ model, prompt: 'hello', maxRetries: 0 })).rejects.toMatchObject({ code: 'unreachable' });
  expect(mock.doGenerateCalls).toHaveLength(0);
});
