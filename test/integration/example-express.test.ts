import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createClient } from 'duoguard/client';
import express from 'express';
import { expect, onTestFinished, test } from 'vitest';
import { type GuardOptions, guard } from '../../examples/express-middleware.ts';
import { signOf } from '../support/fixture-model.ts';
import { startGuard } from '../support/guard-server.ts';

const HATE = signOf('hate');

/** An application that answers what it was told to say. */
async function startApp(options: Pick<GuardOptions, 'client'> & Partial<GuardOptions>) {
  const asked: string[] = [];
  const app = express();
  app.use(express.json());
  const textOf = (field: string) => (body: unknown) => (body as Record<string, string> | undefined)?.[field];
  app.use(guard({ input: textOf('message'), output: textOf('reply'), ...options }));
  app.post('/chat', (request, response) => {
    asked.push(request.body.message);
    response.json({ reply: request.body.say });
  });
  const server = app.listen(0, '127.0.0.1');
  onTestFinished(() => void server.close());
  await once(server, 'listening');
  return {
    asked,
    async chat(body: object) {
      const response = await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}/chat`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      });
      return { status: response.status, body: await response.json() };
    },
  };
}

test('requests and answers are judged, and what is unsafe is not seen by the other side', async () => {
  const { client } = await startGuard();
  const { chat, asked } = await startApp({ client });
  expect(await chat({ message: 'hello', say: 'good day' })).toEqual({ status: 200, body: { reply: 'good day' } });
  expect(await chat({ message: `hello ${HATE}`, say: 'good day' })).toEqual({
    status: 400,
    body: { error: { code: 'content_blocked', direction: 'input', categories: ['hate'] } },
  });
  expect(asked).toEqual(['hello']);
  expect(await chat({ message: 'hello', say: `go ${HATE}` })).toEqual({
    status: 502,
    body: { error: { code: 'content_blocked', direction: 'output', categories: ['hate'] } },
  });
  expect(await chat({ say: 'good day' })).toMatchObject({ status: 200 });
});

test('a guard that is gone refuses, or lets pass when told to', async () => {
  const client = createClient({ baseUrl: 'http://127.0.0.1:1', retries: 0 });
  const message = { message: 'hello', say: 'good day' };
  expect(await (await startApp({ client })).chat(message)).toEqual({
    status: 503,
    body: { error: { code: 'guard_unavailable', direction: 'input' } },
  });
  expect(await (await startApp({ client, whenUnavailable: 'pass' })).chat(message)).toMatchObject({ status: 200 });
});
