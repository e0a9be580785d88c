import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { createFixtureCheckpoint, temporaryDirectory } from '../support/fixture-checkpoint.ts';
import { signOf } from '../support/fixture-model.ts';
import { startOtlpReceiver } from '../support/otlp-receiver.ts';
import { type ServerProcess, startProcess } from '../support/server-process.ts';

const HATEFUL = `a remark with ${signOf('hate')}`;

async function start(args: string[] = [], env: NodeJS.ProcessEnv = {}) {
  const checkpoint = await createFixtureCheckpoint();
  const cwd = temporaryDirectory();
  const server = startProcess(
    [
      '--models-dir',
      dirname(checkpoint),
      '--checkpoint',
      'fixture',
      '--host',
      '127.0.0.1',
      '--port',
      '0',
      '--workers',
      '1',
      ...args,
    ],
    env,
    cwd,
  );
  const listening = await server.waitFor('listening');
  await server.waitFor('ready');
  return { server, cwd, listening, url: `http://127.0.0.1:${listening['port']}` };
}

function post(body: unknown, headers: Record<string, string> = {}): RequestInit {
  return { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify(body) };
}

function failureOf({ log }: ServerProcess): Record<string, unknown> | undefined {
  return log.find((line) => line['msg'] === 'cannot start');
}

async function stop({ child, exited }: ServerProcess): Promise<number | null> {
  child.kill('SIGTERM');
  return exited;
}

async function metric(url: string, name: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text();
  return Number(
    text
      .split('\n')
      .find((line) => line.startsWith(`${name} `))
      ?.split(' ')[1],
  );
}

describe('the server as a process', () => {
  it('serves a checkpoint from start to drain and writes nothing but its log', async () => {
    const { server, cwd, url } = await start();
    expect((await fetch(`${url}/readyz`)).status).toBe(200);

    const response = await fetch(
      `${url}/classify`,
      post({ input: ['a calm text', HATEFUL, { prompt: HATEFUL, response: 'no' }] }),
    );
    expect(response.status).toBe(200);
    expect(response.headers.get('x-model-version')).toBe('fixture');
    const answer = (await response.json()) as { results: { flagged: boolean; top_category: string }[] };
    expect(answer).toMatchObject({
      checkpoint: 'fixture',
      results: [{ flagged: false }, { flagged: true, top_category: 'hate' }, {}],
    });

    const overridden = await fetch(`${url}/classify`, post({ input: HATEFUL, thresholds: { hate: 1 } }));
    expect(await overridden.json()).toMatchObject({ results: [{ flagged: false }] });

    expect(await (await fetch(`${url}/info`)).json()).toMatchObject({
      version: JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')).version,
      checkpoint: { id: 'fixture', max_tokens: 64, languages: ['en'] },
    });
    expect(await metric(url, 'guardrail_batch_size_count')).toBeGreaterThan(0);
    expect(await metric(url, 'guardrail_checkpoint_loads_total{result="success"}')).toBe(1);
    expect(await metric(url, 'guardrail_http_requests_total{route="/classify",method="POST",code="200"}')).toBe(2);

    expect(await stop(server)).toBe(0);
    expect(server.log.map((line) => line['msg'])).toEqual(
      expect.arrayContaining(['starting', 'listening', 'ready', 'draining', 'stopped']),
    );
    expect(JSON.stringify(server.log)).not.toContain('remark');
    expect(server.stderr()).toBe('');
    expect(readdirSync(cwd)).toEqual([]);
  });

  it('sends the traces that are left before it ends, and ends without a collector too', async () => {
    const receiver = await startOtlpReceiver();
    const { server, url } = await start([], {
      OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint,
      OTEL_SERVICE_NAME: 'guard-of-tests',
    });
    expect((await fetch(`${url}/classify`, post({ input: HATEFUL }))).status).toBe(200);
    expect(await stop(server)).toBe(0);
    const names = ['POST /classify', 'classify', 'decide', 'inference', 'prepare', 'queue'];
    expect(receiver.spans.map(({ name }) => name).sort()).toEqual(names);
    expect(receiver.spans[0]?.resource['service.name']).toBe('guard-of-tests');
    expect(receiver.raw.map(String).join()).not.toContain('remark');

    const alone = await start(['--otlp-endpoint', 'http://127.0.0.1:9']);
    expect((await fetch(`${alone.url}/classify`, post({ input: HATEFUL }))).status).toBe(200);
    expect(await stop(alone.server)).toBe(0);
  });

  it.each([
    ['one letter', 'a'.repeat(100_000)],
    ['a lone surrogate', 'x\uD800y'],
    ['NUL', `\u0000${HATEFUL}\u0000`],
    ['right-to-left overrides', `\u202E${HATEFUL}\u202C`],
    ['zero-width characters', '\u200B'.repeat(1000)],
  ])('judges %s', async (_, input) => {
    const { server, url } = await start();
    const response = await fetch(`${url}/classify`, post({ input }));
    expect(response.status).toBe(200);
    expect(await response.json()).toMatchObject({ results: [{ index: 0, windows: expect.any(Number) }] });
    expect(await stop(server)).toBe(0);
  });

  it('refuses a long text when asked to, and fails only that item of a batch', async () => {
    const { url } = await start();
    const long = 'word '.repeat(200);
    const alone = await fetch(`${url}/classify`, post({ input: long, long_input: 'reject' }));
    expect(alone.status).toBe(422);
    expect(await alone.json()).toMatchObject({ error: { code: 'input_too_long' } });
    const batch = await fetch(`${url}/classify`, post({ input: [long, HATEFUL], long_input: 'reject' }));
    expect(batch.status).toBe(200);
    expect(await batch.json()).toMatchObject({
      results: [
        { index: 0, error: { code: 'input_too_long' } },
        { index: 1, flagged: true },
      ],
    });
  });

  it('answers 429 while the queue is full and 504 to what cannot wait', async () => {
    const { url } = await start(['--queue-size', '4', '--max-batch-requests', '1', '--max-batch-tokens', '64']);
    const book = 'a'.repeat(100_000);
    const answers = await Promise.all(
      Array.from({ length: 16 }, () => fetch(`${url}/classify`, post({ input: book }))),
    );
    const refused = answers.filter((response) => response.status !== 200);
    expect(refused.length).toBeGreaterThan(0);
    expect(refused.length).toBeLessThan(16);
    for (const response of refused) {
      expect(response.status).toBe(429);
      expect(Number(response.headers.get('retry-after'))).toBeGreaterThan(0);
      expect(await response.json()).toMatchObject({ error: { code: 'overloaded' } });
    }
    const late = await fetch(
      `${url}/classify`,
      post({ input: 'a'.repeat(200_000) }, { 'x-request-deadline-ms': '20' }),
    );
    expect(late.status).toBe(504);
    while ((await metric(url, 'guardrail_queue_size')) > 0) await sleep(2);
  });

  it('drops no request when it is stopped under load', async () => {
    const { server, url } = await start();
    let answered = 0;
    let stopping = false;
    const codes = new Set<number>();
    const clients = Array.from({ length: 8 }, async () => {
      for (;;) {
        try {
          const response = await fetch(`${url}/classify`, post({ input: HATEFUL }));
          codes.add(response.status);
          await response.arrayBuffer();
          if (response.status === 200) answered++;
        } catch (error) {
          // After the drain the port is closed; before the signal nothing may fail.
          expect(stopping, String((error as Error).cause)).toBe(true);
          return;
        }
      }
    });
    while (answered < 100) await sleep(5);
    stopping = true;
    expect(await stop(server)).toBe(0);
    await Promise.all(clients);
    expect([...codes].filter((code) => code !== 200 && code !== 503)).toEqual([]);
    const served = server.log.filter((line) => line['route'] === '/classify' && line['status'] === 200).length;
    expect(answered).toBe(served);
  });

  it('ends at once on a second signal', async () => {
    const { server, listening } = await start();
    const socket = connect(Number(listening['port']), '127.0.0.1');
    socket.on('error', () => {});
    socket.write('POST /classify HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 50\r\n\r\n{');
    const url = `http://127.0.0.1:${listening['port']}`;
    while ((await metric(url, 'guardrail_requests_in_flight')) < 2) await sleep(2);
    server.child.kill('SIGTERM');
    await server.waitFor('draining');
    server.child.kill('SIGINT');
    expect(await server.exited).toBe(1);
    socket.destroy();
  });

  it('ends without a failure when it is told to while it waits for its checkpoint store', async () => {
    const empty = temporaryDirectory();
    const server = startProcess(
      ['--models-dir', empty, '--host', '127.0.0.1', '--port', '0', '--store-url', 'http://127.0.0.1:1/models'],
      {},
      empty,
    );
    await server.waitFor('the checkpoint store cannot be read');
    expect(await stop(server)).toBe(0);
    expect(server.log.at(-1)).toMatchObject({ msg: 'stopped' });
    expect(failureOf(server)).toBeUndefined();
  });

  it('serves metrics on a port of their own', async () => {
    const { listening, url } = await start([], { DUOGUARD_METRICS_PORT: '0' });
    expect((await fetch(`${url}/metrics`)).status).toBe(404);
    expect((await fetch(`http://127.0.0.1:${listening['metrics_port']}/metrics`)).status).toBe(200);
  });

  it('asks for a key when keys are configured and hides them in the log', async () => {
    const { server, url } = await start([], { DUOGUARD_API_KEYS: 'planted-key-1' });
    expect((await fetch(`${url}/classify`, post({ input: 'a' }))).status).toBe(401);
    expect(
      (await fetch(`${url}/classify`, post({ input: 'a' }, { authorization: 'Bearer planted-key-1' }))).status,
    ).toBe(200);
    expect(server.log[0]).toMatchObject({
      msg: 'starting',
      config: { api_keys: '[1 hidden]' },
      sources: { api_keys: 'env' },
    });
    expect(JSON.stringify(server.log)).not.toContain('planted-key');
  });

  it('ends after a bug, without showing its message', async () => {
    const { server } = await start([], {
      NODE_OPTIONS: `--import "data:text/javascript,process.on('SIGUSR2',()=>{throw new Error('plan'+'ted')})"`,
    });
    server.child.kill('SIGUSR2');
    expect(await server.exited).toBe(1);
    expect(server.log.find((line) => line['level'] === 'fatal')).toMatchObject({
      level: 'fatal',
      msg: 'uncaughtException',
      err: { name: 'Error' },
    });
    expect(JSON.stringify(server.log)).not.toContain('planted');
  });
});

describe('a server that cannot start', () => {
  it('names wrong settings and what was meant', async () => {
    const server = startProcess(['--prot', '8080'], { DUOGUARD_WORKERS: 'many' });
    expect(await server.exited).toBe(2);
    expect(server.stderr()).toContain('unknown flag --prot; did you mean --port?');
  });

  it('names what is wrong with the checkpoint', async () => {
    const checkpoint = await createFixtureCheckpoint();
    const model = join(checkpoint, 'model.onnx');
    const bytes = readFileSync(model);
    bytes[bytes.length >> 1]! ^= 1;
    writeFileSync(model, bytes);
    const args = ['--models-dir', dirname(checkpoint), '--port', '0'];
    const flipped = startProcess([...args, '--checkpoint', 'fixture']);
    expect(await flipped.exited).toBe(1);
    // Not `at(-1)`: a line whose write was still under way may come out after the last one, which is written at once.
    expect(failureOf(flipped)).toMatchObject({ err: { code: 'checkpoint_file_corrupt' } });
    const absent = startProcess([...args, '--checkpoint', 'absent']);
    expect(await absent.exited).toBe(1);
    expect(failureOf(absent)).toMatchObject({ err: { code: 'checkpoint_not_found' } });
  });

  it('says that the port is taken', async () => {
    const { listening } = await start();
    const second = startProcess(['--port', String(listening['port']), '--host', '127.0.0.1']);
    expect(await second.exited).toBe(1);
    expect(failureOf(second)).toMatchObject({ msg: 'cannot start', err: { code: 'EADDRINUSE' } });
  });

  it('refuses a batch budget that the longest window does not fit', async () => {
    const checkpoint = await createFixtureCheckpoint();
    const server = startProcess([
      '--models-dir',
      dirname(checkpoint),
      '--checkpoint',
      'fixture',
      '--port',
      '0',
      '--max-batch-tokens',
      '32',
    ]);
    expect(await server.exited).toBe(1);
    expect(failureOf(server)).toMatchObject({ err: { code: 'invalid_config' } });
  });

  it('prints help and version', async () => {
    const help = startProcess(['--help']);
    expect(await help.exited).toBe(0);
    expect(help.log.map((line) => line['msg']).join('\n')).toContain('--models-dir');
    const version = startProcess(['--version']);
    expect(await version.exited).toBe(0);
    expect(version.log[0]?.['msg']).toMatch(/^\d+\.\d+\.\d+$/);
  });
});
