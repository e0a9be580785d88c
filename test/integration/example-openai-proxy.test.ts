import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Client, createClient } from 'duoguard/client';
import OpenAI from 'openai';
import { expect, onTestFinished, test } from 'vitest';
import { createProxy } from '../../examples/openai-proxy.ts';
import { signOf } from '../support/fixture-model.ts';
import { startGuard } from '../support/guard-server.ts';

const HATE = signOf('hate');

async function listen(listener: RequestListener): Promise<string> {
  const server = createServer(listener).listen(0, '127.0.0.1');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  await once(server, 'listening');
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`;
}

/** Streams these words, or answers with them at once. `endless` goes on until it is left. */
function createModel(words: readonly string[], endless = false) {
  const seen = { asked: 0, left: 0, key: undefined as string | undefined };
  const listener: RequestListener = async (request, response) => {
    seen.asked++;
    seen.key = request.headers.authorization;
    response.once('close', () => {
      if (!response.writableFinished) seen.left++;
    });
    let body = '';
    for await (const piece of request) body += piece;
    const base = { id: 'c-1', created: 1, model: 'tiny' };
    if (!JSON.parse(body).stream) {
      const choices = [{ index: 0, message: { role: 'assistant', content: words.join('') }, finish_reason: 'stop' }];
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ ...base, object: 'chat.completion', choices }));
      return;
    }
    const say = (delta: object, finish_reason: string | null = null) =>
      response.write(
        `data: ${JSON.stringify({ ...base, object: 'chat.completion.chunk', choices: [{ index: 0, delta, finish_reason }] })}\n\n`,
      );
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    say({ role: 'assistant', content: '' });
    for (const content of words) say({ content });
    while (endless && !response.destroyed) {
      say({ content: 'more ' });
      await sleep(5);
    }
    say({}, 'stop');
    response.end('data: [DONE]\n\n');
  };
  return { seen, listener };
}

async function start(
  words: readonly string[],
  { client, endless = false }: { client?: Client; endless?: boolean } = {},
) {
  const { seen, listener } = createModel(words, endless);
  const guard = client ?? (await startGuard()).client;
  const proxy = createProxy({ client: guard, upstream: await listen(listener), holdBack: 4, chunkTokens: 8 });
  const openai = new OpenAI({ apiKey: 'key-of-the-model', maxRetries: 0, baseURL: await listen(proxy) });
  const ask = (content: string) => ({ model: 'tiny', messages: [{ role: 'user' as const, content }] });
  return {
    seen,
    chat: (content: string) => openai.chat.completions.create(ask(content)),
    async stream(content: string, signal?: AbortSignal) {
      const chunks = await openai.chat.completions.create(
        { ...ask(content), stream: true },
        { signal: signal ?? null },
      );
      const [texts, reasons] = [[] as string[], [] as string[]];
      for await (const { choices } of chunks) {
        if (choices[0]?.delta.content) texts.push(choices[0].delta.content);
        if (choices[0]?.finish_reason) reasons.push(choices[0].finish_reason);
      }
      return { texts, text: texts.join(''), reasons };
    },
  };
}

const CALM = 'the quick brown fox jumps over the lazy dog and runs away'.split(/(?<= )/);
const UNSAFE = [...CALM, ' and then ', HATE, ' follows'];

test('a calm answer comes through, whole or in pieces, with the key of the caller', async () => {
  const { chat, stream, seen } = await start(CALM);
  const answer = await chat('hello');
  expect(answer.choices[0]).toMatchObject({ message: { content: CALM.join('') }, finish_reason: 'stop' });
  const { text, texts, reasons } = await stream('hello');
  expect([text, reasons]).toEqual([CALM.join(''), ['stop']]);
  expect(texts.length).toBeGreaterThan(3);
  expect(seen.key).toBe('Bearer key-of-the-model');
});

test('an unsafe conversation never reaches the model', async () => {
  const { chat, stream, seen } = await start(CALM);
  const refused = { status: 400, code: 'content_filter' };
  await expect(chat(`say ${HATE}`)).rejects.toMatchObject(refused);
  await expect(stream(`say ${HATE}`)).rejects.toMatchObject(refused);
  expect(seen.asked).toBe(0);
});

test('an unsafe answer is withheld, a streamed one cut before it, and the model stopped', async () => {
  const { chat, stream, seen } = await start(UNSAFE, { endless: true });
  expect((await chat('hello')).choices[0]).toMatchObject({ message: { content: '' }, finish_reason: 'content_filter' });
  const { text, reasons } = await stream('hello');
  expect(reasons).toEqual(['content_filter']);
  expect(text.length).toBeGreaterThan(10);
  expect(UNSAFE.join('').startsWith(text)).toBe(true);
  expect(text).not.toContain(HATE);
  await expect.poll(() => seen.left).toBe(1);
});

test('the model is stopped when the caller leaves', async () => {
  const { stream, seen } = await start(CALM, { endless: true });
  const controller = new AbortController();
  setTimeout(() => controller.abort(), 300);
  await stream('hello', controller.signal).catch(() => {});
  await expect.poll(() => seen.left).toBe(1);
});

test('what is not supported, or has no guard, is refused', async () => {
  const gone = createClient({ baseUrl: 'http://127.0.0.1:1', retries: 0 });
  const { chat, seen } = await start(CALM, { client: gone });
  await expect(chat('hello')).rejects.toMatchObject({ status: 502 });
  expect(seen.asked).toBe(0);
});
