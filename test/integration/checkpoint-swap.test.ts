import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, onTestFinished, test } from 'vitest';
import { publishedDir } from '../../src/checkpoint/places.ts';
import { setActive } from '../../src/checkpoint/publish.ts';
import { configSchema } from '../../src/config/settings.ts';
import { startServer } from '../../src/serve.ts';
import { createLogger } from '../../src/telemetry/logger.ts';
import { temporaryDirectory } from '../support/fixture-checkpoint.ts';
import { signOf } from '../support/fixture-model.ts';
import { addCheckpoint, createPlaces } from '../support/published-fixtures.ts';
import { underLoad } from '../support/under-load.ts';

const ADMIN = 'key-of-an-admin';
const CLIENT = 'key-of-a-client';

/** Probability that the checkpoints give to a text with a sign: it tells whose answer it is. */
const LOUD = { a: 4, b: 2 } as const;
const SCORES = new Map(Object.entries(LOUD).map(([id, logit]) => [id, 1 / (1 + Math.exp(-logit))]));

async function start(settings: Record<string, unknown> = {}) {
  const places = createPlaces();
  await addCheckpoint(places.shippedDir, 'a', LOUD.a);
  await addCheckpoint(publishedDir(places), 'b', LOUD.b);
  await setActive(places.shippedDir, 'a');
  const lines: string[] = [];
  const config = configSchema.parse({
    host: '127.0.0.1',
    port: 0,
    workers: 1,
    models_dir: places.shippedDir,
    state_dir: places.stateDir,
    api_keys: [`classify+admin+metrics=${ADMIN}`, CLIENT],
    checkpoint_poll_ms: 60_000,
    ...settings,
  });
  const server = await startServer(
    config,
    createLogger('info', { write: (line: string) => lines.push(line) }),
    '0.0.0',
  );
  onTestFinished(() => server.stop());
  await server.ready;
  const url = `http://127.0.0.1:${server.port}`;
  const send = (path: string, init: RequestInit, key: string | undefined) =>
    fetch(`${url}${path}`, { ...init, headers: key === undefined ? {} : { authorization: `Bearer ${key}` } });
  return {
    url,
    places,
    lines,
    get: (path: string, key: string | undefined = ADMIN) => send(path, {}, key),
    act: (id: string, action: string, key: string | undefined = ADMIN) =>
      send(`/v1/checkpoints/${id}/${action}`, { method: 'POST' }, key),
  };
}

interface Listing {
  readonly active: string;
  readonly checkpoints: {
    readonly id: string;
    readonly state: string;
    readonly rejected: { code: string } | null;
    readonly manifest: unknown;
  }[];
}

async function states(response: Response): Promise<Record<string, string>> {
  expect(response.status).toBe(200);
  const { checkpoints } = (await response.json()) as Listing;
  return Object.fromEntries(checkpoints.map(({ id, state }) => [id, state]));
}

/** Several items, one of them long enough for windows. */
const INPUT = [`short ${signOf('hate')}`, `${'calm words '.repeat(30)}${signOf('hate')}`, `another ${signOf('hate')}`];

/** What is wrong with an answer, unless one checkpoint gave the whole of it and header and body name that one. */
function flawOf(status: number, body: string, version: unknown): string | undefined {
  const answer = JSON.parse(body) as {
    checkpoint?: string;
    results?: { category_scores: { hate: number } }[];
  };
  const expected = SCORES.get(answer.checkpoint ?? '');
  if (status !== 200 || expected === undefined || answer.results?.length !== INPUT.length) return `${status} ${body}`;
  if (version !== answer.checkpoint) return `the header says ${version}, the body ${answer.checkpoint}`;
  const scores = answer.results.map((result) => result.category_scores.hate);
  const foreign = scores.some((score) => Math.abs(score - expected) > 1e-3);
  return foreign ? `${answer.checkpoint} cannot give ${scores.join(', ')}` : undefined;
}

/** Classifies without a pause while `work` changes the checkpoints. */
async function classifying(url: string, work: (servedBy: ReadonlyMap<string, number>) => Promise<void>) {
  const flaws: string[] = [];
  const servedBy = new Map<string, number>();
  const { non2xx, errors } = await underLoad(
    {
      url: `${url}/classify`,
      headers: { authorization: `Bearer ${CLIENT}` },
      body: JSON.stringify({ input: INPUT }),
      onAnswer({ status, body, headers }) {
        const version = headers['x-model-version'] ?? 'none';
        servedBy.set(version, (servedBy.get(version) ?? 0) + 1);
        const flaw = flawOf(status, body, version);
        if (flaw !== undefined) flaws.push(flaw);
      },
    },
    () => work(servedBy),
  );
  return { failures: { non2xx, errors, flaws }, servedBy };
}

const NO_FAILURES = { non2xx: 0, errors: 0, flaws: [] };

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await sleep(5);
}

describe('checkpoints over HTTP', () => {
  test('are for admins', async () => {
    const { get, act } = await start();
    expect((await get('/v1/checkpoints', CLIENT)).status).toBe(403);
    expect((await act('b', 'activate', CLIENT)).status).toBe(403);
    expect((await get('/v1/checkpoints', 'unknown-key')).status).toBe(401);
    expect((await act('b', 'activate', 'unknown-key')).status).toBe(401);
    expect(await states(await get('/v1/checkpoints'))).toEqual({ a: 'active', b: 'available' });
    expect((await act('b', 'explode')).status).toBe(404);
    expect((await act('absent', 'activate')).status).toBe(404);
    expect((await get('/v1/checkpoints/b/activate')).status).toBe(405);
  });

  test('without keys nobody may change them', async () => {
    const { url } = await start({ api_keys: [] });
    const answer = await fetch(`${url}/v1/checkpoints/b/activate`, { method: 'POST' });
    expect(answer.status).toBe(403);
    expect((await fetch(`${url}/v1/checkpoints`)).status).toBe(403);
  });

  test('are listed with their figures, activated, rolled back and counted', async () => {
    const { get, act } = await start();
    expect(await states(await act('b', 'activate'))).toEqual({ a: 'previous', b: 'active' });
    expect(await (await get('/info')).json()).toMatchObject({ checkpoint: { id: 'b' } });
    expect(await states(await act('b', 'rollback'))).toEqual({ a: 'active', b: 'available' });
    expect((await act('b', 'rollback')).status).toBe(409);
    const listing = (await (await get('/v1/checkpoints')).json()) as Listing;
    expect(listing).toMatchObject({
      active: 'a',
      checkpoints: [{ manifest: { sha256: expect.stringMatching(/^[0-9a-f]{64}$/), figures: {} } }, {}],
    });
    const metrics = await (await get('/metrics')).text();
    expect(metrics).toContain('guardrail_checkpoint_swaps_total{kind="activate"} 1');
    expect(metrics).toContain('guardrail_checkpoint_swaps_total{kind="rollback"} 1');
    expect(metrics).toContain('guardrail_checkpoint_loads_total{result="success"} 3');
    expect(metrics).toMatch(/guardrail_checkpoint_info\{id="a",/);
    expect(metrics).not.toMatch(/guardrail_checkpoint_info\{id="b",/);
  });

  test('that are corrupt are refused by name while the old one serves', async () => {
    const { url, places, lines, get, act } = await start();
    const model = join(publishedDir(places), 'b', 'model.onnx');
    const bytes = readFileSync(model);
    bytes[bytes.length >> 1]! ^= 1;
    writeFileSync(model, bytes);
    const { failures, servedBy } = await classifying(url, async () => {
      const refused = await act('b', 'activate');
      expect(refused.status).toBe(422);
      expect(await refused.json()).toMatchObject({
        error: { code: 'checkpoint_file_corrupt', message: expect.stringContaining('model.onnx') },
      });
    });
    expect(failures).toEqual(NO_FAILURES);
    expect([...servedBy.keys()]).toEqual(['a']);
    const listing = (await (await get('/v1/checkpoints')).json()) as Listing;
    expect(listing.checkpoints[1]).toMatchObject({ state: 'rejected', rejected: { code: 'checkpoint_file_corrupt' } });
    expect(lines.map((line) => JSON.parse(line))).toContainEqual(
      expect.objectContaining({ msg: 'checkpoint refused', checkpoint: 'b' }),
    );
  });
});

test('repeated swaps under load lose no request and mix no two checkpoints in an answer', async () => {
  const { url, act } = await start();
  const { failures, servedBy } = await classifying(url, async (served) => {
    for (let swap = 0; swap < 6; swap++) {
      const id = swap % 2 === 0 ? 'b' : 'a';
      const before = served.get(id) ?? 0;
      expect((await act(id, 'activate')).status).toBe(200);
      await until(() => (served.get(id) ?? 0) > before);
    }
  });
  expect(failures).toEqual(NO_FAILURES);
  expect([...servedBy.keys()].sort()).toEqual(['a', 'b']);
}, 240_000);

test('a stream that began before a swap is judged to its end by the checkpoint that served then', async () => {
  const { url, act } = await start();
  const deltas = new TransformStream<string, string>();
  const writer = deltas.writable.getWriter();
  const init = { method: 'POST', body: deltas.readable.pipeThrough(new TextEncoderStream()), duplex: 'half' as const };
  const headers = { authorization: `Bearer ${CLIENT}`, 'content-type': 'text/plain' };
  const opened = fetch(`${url}/classify/stream?chunk_tokens=16&context_tokens=0`, { ...init, headers });
  await writer.write(INPUT[1] as string);
  const answer = await opened;
  expect(await states(await act('b', 'activate'))).toEqual({ a: 'previous', b: 'active' });
  expect(await classify(url, AGREED)).toBe('b');
  await writer.write(INPUT[1] as string);
  await writer.close();
  const events = (await answer.text()).trim().split('\n');
  const judged = events.map((line) => JSON.parse(line)).filter(({ event }) => event !== 'flag');
  expect(judged.at(-1)).toMatchObject({ event: 'done', flagged: true });
  expect(new Set(judged.map(({ checkpoint }) => checkpoint))).toEqual(new Set(['a']));
  expect(judged.at(-1).category_scores.hate).toBeCloseTo(SCORES.get('a') as number, 3);
});

test('a published pointer is followed without being asked', async () => {
  const { url, places, get } = await start();
  const { failures } = await classifying(url, async (served) => {
    await setActive(publishedDir(places), 'b');
    await until(() => served.has('b'));
  });
  expect(failures).toEqual(NO_FAILURES);
  expect(await states(await get('/v1/checkpoints'))).toEqual({ a: 'previous', b: 'active' });
});

test('polling finds what no event tells of, and 0 switches following off', async () => {
  const polled = await start({ checkpoint_poll_ms: 20 });
  const deaf = await start({ checkpoint_poll_ms: 0 });
  for (const { places } of [polled, deaf]) await setActive(publishedDir(places), 'b');
  await until(async () => (await states(await polled.get('/v1/checkpoints')))['b'] === 'active');
  expect(await states(await deaf.get('/v1/checkpoints'))).toEqual({ a: 'active', b: 'available' });
});

/** Only `a` is loud enough for this threshold: the two decide otherwise. */
const DISPUTED = { input: `a remark with ${signOf('hate')}`, thresholds: { hate: 0.95 } };
const AGREED = { input: `a remark with ${signOf('hate')}` };

async function classify(url: string, body: unknown, routingKey = 'someone') {
  const answer = await fetch(`${url}/classify`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${CLIENT}`, 'x-routing-key': routingKey },
    body: JSON.stringify(body),
  });
  expect(answer.status).toBe(200);
  return ((await answer.json()) as { checkpoint: string }).checkpoint;
}

describe('a checkpoint on trial', () => {
  test('as a canary that agrees is promoted', async () => {
    const { url, get, act } = await start({ canary_items: 4, canary_max_inference_percent: 10_000 });
    expect(await states(await act('b', 'canary?share=100'))).toEqual({ a: 'active', b: 'canary' });
    expect((await act('b', 'shadow')).status).toBe(409);
    expect((await act('a', 'canary')).status).toBe(409);
    expect(await classify(url, AGREED)).toBe('b');
    await until(async () => {
      await classify(url, AGREED);
      return (await states(await get('/v1/checkpoints')))['b'] === 'active';
    });
    expect(await (await get('/metrics')).text()).toContain('guardrail_checkpoint_swaps_total{kind="promote"} 1');
    expect(await states(await act('b', 'rollback'))).toEqual({ a: 'active', b: 'available' });
  });

  test('as a canary that decides otherwise is rolled back, with the reason', async () => {
    const { url, get, act } = await start({ canary_items: 4 });
    await act('b', 'canary?share=100');
    await until(async () => (await classify(url, DISPUTED)) === 'a');
    const listing = (await (await get('/v1/checkpoints')).json()) as Listing;
    expect(listing).toMatchObject({
      active: 'a',
      trial: null,
      checkpoints: [
        { id: 'a', state: 'active' },
        { id: 'b', rejected: { code: 'checkpoint_trial_failed', message: expect.stringContaining('disagreement') } },
      ],
    });
  });

  test('as a canary judges by the policies of the server', async () => {
    const policyFile = join(temporaryDirectory(), 'policies.json');
    const policies = {
      default: { phrases: { deny: ['project falcon'] } },
      lenient: { default_action: 'flag' },
    };
    writeFileSync(policyFile, JSON.stringify({ version: 1, policies }));
    const { url, act } = await start({ policy_file: policyFile });
    await act('b', 'canary?share=100');
    const judged = async (body: unknown) => {
      const answer = await fetch(`${url}/classify`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', authorization: `Bearer ${CLIENT}` },
        body: JSON.stringify(body),
      });
      const { checkpoint, results } = (await answer.json()) as { checkpoint?: string; results?: { action: string }[] };
      return { checkpoint, action: results?.[0]?.action };
    };
    expect(await judged({ input: 'all about Project Falcon' })).toEqual({ checkpoint: 'b', action: 'block' });
    expect(await judged({ ...AGREED, policy: 'lenient' })).toEqual({ checkpoint: 'b', action: 'flag' });
  });

  test('as a shadow never answers; its disagreement is counted until it is rolled back', async () => {
    const { url, get, act } = await start();
    expect((await act('b', 'shadow?share=101')).status).toBe(422);
    await act('b', 'shadow?share=100');
    await until(async () => {
      expect(await classify(url, DISPUTED)).toBe('a');
      return (await (await get('/metrics')).text()).includes('shadow_disagreements_total{category="hate"}');
    });
    expect(await (await get('/v1/checkpoints')).json()).toMatchObject({ trial: { id: 'b', kind: 'shadow' } });
    expect(await states(await act('b', 'rollback'))).toEqual({ a: 'active', b: 'available' });
    expect(await (await get('/v1/checkpoints')).json()).toMatchObject({ trial: null });
  });
});
