import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { Agent, request } from 'undici';
import { afterEach, describe, expect, it } from 'vitest';
import { createAuthorize, parseApiKeys } from '../../src/http/api-keys.ts';
import type { AppDependencies } from '../../src/http/app.ts';
import { drain, type ListeningServer, listen } from '../../src/http/server.ts';
import type { ClassifyRequest, Verdict } from '../../src/moderation/contract.ts';
import { createAppUnderTest, post } from '../support/app-under-test.ts';
import { createClassifierDouble, verdictFor, waitForAbort } from '../support/classifier-double.ts';

const cleanup: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const step of cleanup.splice(0)) await step();
});

async function serve(overrides: Partial<AppDependencies> = {}) {
  const under = createAppUnderTest(overrides);
  const server = await listen(under.app, '127.0.0.1', 0);
  cleanup.push(() => server.close(0));
  return { ...under, server, url: `http://127.0.0.1:${server.port}` };
}

function head(lines: string[]): string {
  return `${['POST /classify HTTP/1.1', 'host: localhost', 'content-type: application/json', ...lines].join('\r\n')}\r\n\r\n`;
}

async function open(server: ListeningServer): Promise<Socket> {
  const socket = connect(server.port, '127.0.0.1').setEncoding('utf8');
  socket.on('error', () => {});
  await once(socket, 'connect');
  return socket;
}

/** Everything the server sends until it closes the connection or has sent `end`. */
async function readUntil(socket: Socket, end: string): Promise<string> {
  let text = '';
  for await (const chunk of socket) {
    text += chunk;
    if (text.includes(end)) break;
  }
  return text;
}

/** Polls; what it waits for is bounded by the test's own time limit. */
async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await sleep(5);
}

/** A classifier whose verdicts come when told to. */
function createGate() {
  let release = () => {};
  const opened = new Promise<void>((resolve) => {
    release = resolve;
  });
  const classifier = createClassifierDouble(async (asked: ClassifyRequest): Promise<Verdict> => {
    await opened;
    return verdictFor(asked);
  });
  return { classifier, release };
}

describe('a real socket', () => {
  it('answers a request', async () => {
    const { url } = await serve();
    const response = await request(`${url}/classify`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ input: 'hello' }),
    });
    expect(response.statusCode).toBe(200);
    expect(response.headers['content-length']).toBeDefined();
    expect(await response.body.json()).toMatchObject({ checkpoint: 'double-1' });
  });

  it('takes a body in pieces, and leaves the connection for the next request', async () => {
    const { server } = await serve();
    const socket = await open(server);
    const body = JSON.stringify({ input: 'a hateful remark, in pieces' });
    for (let round = 0; round < 2; round++) {
      socket.write(head([`content-length: ${body.length}`]));
      await sleep(5);
      socket.write(body.slice(0, 9));
      await sleep(5);
      socket.write(body.slice(9));
      const [answer] = await once(socket, 'data');
      expect(answer).toMatch(/^HTTP\/1.1 200 /);
      expect(answer).toContain('"top_category":"hate"');
    }
    socket.destroy();
  });

  it('answers the same whether it is asked by its plain path or with a query', async () => {
    const { url } = await serve();
    const ask = async (path: string, body: string) => {
      const answer = await request(`${url}${path}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'x-request-id': 'one' },
        body,
      });
      await answer.body.dump();
      return { status: answer.statusCode, headers: Object.keys(answer.headers).sort() };
    };
    for (const body of ['{"input":"hello"}', '{"input":""}', 'nothing']) {
      expect(await ask('/classify', body)).toEqual(await ask('/classify?', body));
    }
  });

  it('refuses two keys at once, whichever is right', async () => {
    const keys = parseApiKeys(['right']);
    const { server } = await serve({ authorize: createAuthorize(() => keys) });
    for (const [order, status] of [
      [['right'], 200],
      [['right', 'wrong'], 401],
      [['wrong', 'right'], 401],
    ] as const) {
      const socket = await open(server);
      const body = '{"input":"hello"}';
      const given = order.map((key) => `authorization: Bearer ${key}`);
      socket.write(`${head([...given, `content-length: ${body.length}`])}${body}`);
      expect(await readUntil(socket, '}')).toContain(`HTTP/1.1 ${status} `);
      socket.destroy();
    }
  });

  it('cuts the connection of a client that has its answer and goes on with its body', async () => {
    const keys = parseApiKeys(['right']);
    const { server } = await serve({ authorize: createAuthorize(() => keys) });
    const socket = await open(server);
    const closed = once(socket, 'close');
    socket.write(`${head(['content-length: 1000'])}{`);
    expect((await once(socket, 'data'))[0]).toContain('HTTP/1.1 401 ');
    await closed;
  });

  it('refuses 3 MB by its declared length before the body comes', async () => {
    const { server, classifier } = await serve();
    const socket = await open(server);
    socket.write(head(['content-length: 3000000']));
    expect(await readUntil(socket, 'payload_too_large')).toMatch(/^HTTP\/1\.1 413 /);
    expect((classifier as ReturnType<typeof createClassifierDouble>).requests).toHaveLength(0);
  });

  it('refuses an endless chunked body once it passes the limit', async () => {
    const { server } = await serve({
      limits: { maxBodyBytes: 10_000, maxItems: 1, requestTimeoutMs: 5_000, streamTimeoutMs: 5_000 },
    });
    const socket = await open(server);
    socket.write(head(['transfer-encoding: chunked']));
    const chunk = `1000\r\n${'a'.repeat(0x1000)}\r\n`;
    for (let sent = 0; sent < 4; sent++) socket.write(chunk);
    expect(await readUntil(socket, 'payload_too_large')).toMatch(/^HTTP\/1\.1 413 /);
  });

  it('takes a chunked body under the limit', async () => {
    const { server } = await serve();
    const socket = await open(server);
    socket.write(head(['transfer-encoding: chunked', 'connection: close']));
    socket.write('7\r\n{"input\r\n');
    await sleep(20);
    socket.write('6\r\n":"hi"\r\n1\r\n}\r\n0\r\n\r\n');
    expect(await readUntil(socket, 'timing_ms')).toMatch(/^HTTP\/1\.1 200 /);
  });

  it('answers 408 to a body that stalls', async () => {
    const { server } = await serve({
      limits: { maxBodyBytes: 10_000, maxItems: 1, requestTimeoutMs: 50, streamTimeoutMs: 5_000 },
    });
    const socket = await open(server);
    socket.write(`${head(['content-length: 100'])}{"input":`);
    expect(await readUntil(socket, 'request_timeout')).toMatch(/^HTTP\/1\.1 408 /);
  });

  it.each([
    ['declared', ['content-length: 1000'], '{"input": "half a'],
    ['chunked', ['transfer-encoding: chunked'], '11\r\n{"input": "half a\r\n'],
  ])('counts a client that leaves mid-body (%s) and judges nothing', async (_, lines, part) => {
    const { server, metrics, classifier } = await serve();
    const socket = await open(server);
    socket.write(head(lines as string[]) + part);
    await until(async () => (await metrics.render()).includes('guardrail_requests_in_flight 1'));
    socket.destroy();
    await until(async () => (await metrics.render()).includes('request_failures_total{reason="client_closed"} 1'));
    expect(await metrics.render()).toContain('guardrail_requests_in_flight 0');
    expect((classifier as ReturnType<typeof createClassifierDouble>).requests).toHaveLength(0);
  });

  it('tells the classifier when the client leaves while it waits', async () => {
    const classifier = createClassifierDouble(waitForAbort);
    const { server, metrics } = await serve({ classifier });
    const socket = await open(server);
    socket.write(`${head(['content-length: 14'])}{"input":"hi"}`);
    await until(() => classifier.requests.length === 1);
    expect(classifier.requests[0]?.signal.aborted).toBe(false);
    socket.destroy();
    await until(() => classifier.requests[0]?.signal.aborted === true);
    expect(classifier.requests[0]?.signal.reason).toMatchObject({ code: 'client_closed' });
    await until(async () => (await metrics.render()).includes('reason="client_closed"} 1'));
  });

  it('does not take the end of a keep-alive connection for a client that left', async () => {
    const { server, classifier, metrics } = await serve();
    const socket = await open(server);
    socket.write(`${head(['content-length: 14'])}{"input":"hi"}`);
    await readUntil(socket, 'timing_ms');
    socket.destroy();
    await sleep(50);
    const asked = (classifier as ReturnType<typeof createClassifierDouble>).requests[0];
    expect(asked?.signal.aborted).toBe(false);
    expect(await metrics.render()).not.toContain('client_closed');
  });

  it('answers an address that cannot be read in the usual format', async () => {
    const { server } = await serve();
    const socket = await open(server);
    socket.write('GET /a\\b HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n');
    const answer = await readUntil(socket, 'request_id');
    expect(answer).toMatch(/^HTTP\/1\.1 404 /);
    expect(answer).toContain('"code":"not_found"');
  });

  it('rejects when the port is taken', async () => {
    const { server, app } = await serve();
    await expect(listen(app, '127.0.0.1', server.port)).rejects.toMatchObject({ code: 'EADDRINUSE' });
  });
});

describe('drain', () => {
  const patience = { delayMs: 0, timeoutMs: 20_000 };

  it('finishes what is in flight, refuses what is new, then ends', async () => {
    const gate = createGate();
    const { server, url, lifecycle } = await serve({ classifier: gate.classifier });
    const inFlight = fetch(`${url}/classify`, post({ input: 'hello' }) as object);
    await until(() => gate.classifier.requests.length === 1);

    const drained = drain({ servers: [server], lifecycle, ...patience });
    const late = await fetch(`${url}/classify`, post({ input: 'late' }) as object);
    expect(late.status).toBe(503);
    expect(late.headers.get('retry-after')).toBe('1');
    expect(late.headers.get('connection')).toBe('close');
    expect(await late.json()).toMatchObject({ error: { code: 'shutting_down' } });
    expect((await fetch(`${url}/readyz`)).status).toBe(503);
    expect((await fetch(`${url}/livez`)).status).toBe(200);

    gate.release();
    expect((await inFlight).status).toBe(200);
    await drained;
    await expect(fetch(`${url}/livez`)).rejects.toThrow();
  });

  it('keeps serving during the delay', async () => {
    const { server, url, lifecycle } = await serve();
    const drained = drain({ servers: [server], lifecycle, delayMs: 200, timeoutMs: 20_000 });
    expect((await fetch(`${url}/readyz`)).status).toBe(503);
    expect((await fetch(`${url}/classify`, post({ input: 'still' }) as object)).status).toBe(200);
    await drained;
  });

  it('does not wait for idle keep-alive connections', async () => {
    const { server, url, lifecycle } = await serve();
    const dispatcher = new Agent({ keepAliveTimeout: 60_000, connections: 1 });
    cleanup.push(() => dispatcher.destroy());
    const { body } = await request(`${url}/livez`, { dispatcher });
    await body.text();
    await drain({ servers: [server], lifecycle, ...patience });
  });

  it('cuts what is left when the time is over', async () => {
    const classifier = createClassifierDouble(waitForAbort);
    const { server, url, lifecycle } = await serve({ classifier });
    const stuck = fetch(`${url}/classify`, post({ input: 'hello' }) as object);
    stuck.catch(() => {});
    await until(() => classifier.requests.length === 1);
    await drain({ servers: [server], lifecycle, delayMs: 0, timeoutMs: 50 });
    await expect(stuck).rejects.toThrow();
    await until(() => classifier.requests[0]?.signal.aborted === true);
  });

  it('loses no request of a client that keeps sending', async () => {
    const classifier = createClassifierDouble(async (asked) => {
      await sleep(5);
      return verdictFor(asked);
    });
    const { server, url, lifecycle } = await serve({ classifier });
    const codes: number[] = [];
    let refusedConnections = 0;
    let stopped = false;
    const clients = Array.from({ length: 8 }, async () => {
      while (!stopped) {
        try {
          const response = await fetch(`${url}/classify`, post({ input: 'hello' }) as object);
          codes.push(response.status);
          await response.arrayBuffer();
        } catch (error) {
          // Only a connection that the closed listener never accepted may fail; a cut one would say so differently.
          const cause = (error as { cause: NodeJS.ErrnoException }).cause;
          expect(['ECONNREFUSED', 'ECONNRESET', 'UND_ERR_SOCKET']).toContain(cause.code);
          if (cause.code === 'ECONNREFUSED') refusedConnections++;
          stopped = true;
        }
      }
    });
    await until(() => codes.length > 50);
    await drain({ servers: [server], lifecycle, ...patience });
    await Promise.all(clients);
    expect(codes.filter((code) => code !== 200 && code !== 503)).toEqual([]);
    const judged = codes.filter((code) => code === 200).length;
    expect(judged).toBe(classifier.requests.length);
    expect(refusedConnections).toBeGreaterThan(0);
  });
});
