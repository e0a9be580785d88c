import { expect, test } from 'vitest';
import { setActive } from '../../src/checkpoint/publish.ts';
import { printable } from '../../src/config/load.ts';
import { configSchema } from '../../src/config/settings.ts';
import { temporaryDirectory } from '../support/fixture-checkpoint.ts';
import { addCheckpoint, createPlaces } from '../support/published-fixtures.ts';
import { startRunningServer } from '../support/running-server.ts';
import { serveBucket, serveFiles } from '../support/store-servers.ts';

const TOKEN = 'token-of-the-store';
const PATIENT = { timeout: 30_000 };

test.each([
  ['HTTP', serveFiles],
  ['S3', serveBucket],
])(
  'a server without checkpoints waits for its store over %s, follows it, and fetches what it is asked for',
  async (_, serve) => {
    const models = temporaryDirectory();
    await addCheckpoint(models, 'one');
    await setActive(models, 'one');
    const store = await serve(models);
    await store.publish();
    let refusals = 0;
    store.intercept = (__, response) => {
      if (++refusals > 1) return false;
      response.writeHead(503).end();
      return true;
    };
    const { ready, list, classify, activate, text, lines } = await startRunningServer(createPlaces(), {
      store_url: store.url,
      store_token: TOKEN,
      store_poll_ms: 50,
      ...(store.endpoint === undefined ? {} : { store_s3_endpoint: store.endpoint }),
    });
    await ready;
    expect(await classify()).toBe('one');

    await addCheckpoint(models, 'two', 3);
    await addCheckpoint(models, 'three', 2);
    await setActive(models, 'two');
    await store.publish();
    await expect.poll(classify, PATIENT).toBe('two');
    const places = Object.fromEntries((await list()).checkpoints.map(({ id, place }) => [id, place]));
    expect(places).toEqual({ one: 'state', two: 'state', three: 'store' });
    expect((await activate('three')).status).toBe(200);
    expect(await classify()).toBe('three');
    expect((await activate('four')).status).toBe(404);

    const metrics = await text('/metrics');
    expect(metrics).toContain('guardrail_checkpoint_store_downloads_total{result="success"} 3');
    expect(metrics).toContain('guardrail_checkpoint_store_polls_total{result="checkpoint_store_unreachable"} 1');
    expect(metrics).toMatch(/guardrail_checkpoint_store_bytes_total \d{4,}/);
    expect(lines.join('')).not.toContain(TOKEN);
  },
);

test('what the store holds and cannot serve is refused by name, while the old one answers', async () => {
  const models = temporaryDirectory();
  await addCheckpoint(models, 'good');
  await setActive(models, 'good');
  const store = await serveFiles(models);
  const { ready, list, classify, activate } = await startRunningServer(createPlaces(), {
    store_url: store.url,
    store_poll_ms: 50,
  });
  await ready;
  await addCheckpoint(models, 'bad');
  await setActive(models, 'bad');
  store.intercept = ({ url }, response) => {
    if (url !== '/bad/model.onnx') return false;
    response.writeHead(200).end('not what was published');
    return true;
  };
  const bad = async () => (await list()).checkpoints.find(({ id }) => id === 'bad');
  await expect.poll(async () => (await bad())?.rejected?.code, PATIENT).toBe('checkpoint_file_corrupt');
  expect(await bad()).toMatchObject({ state: 'rejected', place: 'store' });
  expect((await activate('bad')).status).toBe(422);
  expect(await classify()).toBe('good');
});

test('a store that is down holds nothing up', async () => {
  const places = createPlaces();
  await addCheckpoint(places.shippedDir, 'shipped');
  await setActive(places.shippedDir, 'shipped');
  const { ready, classify, list } = await startRunningServer(places, { store_url: 'http://127.0.0.1:1' });
  await ready;
  expect(await classify()).toBe('shipped');
  expect((await list()).active).toBe('shipped');
});

test('the address and the token of a store are not printed', () => {
  const config = configSchema.parse({
    store_url: 'https://user:password@store.example/?sig=secret',
    store_token: TOKEN,
  });
  expect(JSON.stringify(printable(config))).not.toMatch(/password|secret|token-of/);
});
