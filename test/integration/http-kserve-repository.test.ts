import { describe, expect, it } from 'vitest';
import { publishedDir } from '../../src/checkpoint/places.ts';
import { setActive } from '../../src/checkpoint/publish.ts';
import { DuoguardError } from '../../src/errors.ts';
import { createAppUnderTest, post } from '../support/app-under-test.ts';
import { startGuard } from '../support/guard-server.ts';
import { addCheckpoint, createPlaces } from '../support/published-fixtures.ts';

const ADMIN = { authorization: 'Bearer admin-key-1' };
const MODELS = '/v2/repository/models';

function createRepository(failure?: DuoguardError) {
  const calls: string[] = [];
  const change = (action: string) => async (id: string) => {
    if (failure !== undefined) throw failure;
    calls.push(`${action} ${id}`);
  };
  const entry = (id: string, state: string, message?: string) => ({
    id,
    state,
    rejected: message === undefined ? null : { code: 'checkpoint_file_corrupt', message },
  });
  const { app } = createAppUnderTest({
    apiKeys: ['classify-key', 'admin=admin-key-1'],
    checkpoints: {
      list: async () => ({
        active: 'b',
        trial: null,
        checkpoints: [
          entry('a', 'previous'),
          entry('b', 'active'),
          entry('c', 'rejected', 'model.onnx is not what the manifest says.'),
          entry('d', 'loading'),
          entry('e', 'canary'),
        ],
      }),
      activate: change('activate'),
      rollback: change('rollback'),
      shadow: change('shadow'),
      canary: change('canary'),
    },
  });
  const ask = (path: string, init: RequestInit) => app.request(path, init);
  return { calls, app, send: (path: string, body: unknown, headers = ADMIN) => ask(path, post(body, headers)), ask };
}

describe('the repository extension of KServe v2', () => {
  const ready = { name: 'duoguard', version: 'b', state: 'READY', reason: '' };

  it('lists checkpoints as versions of the model', async () => {
    const response = await createRepository().send('/v2/repository/index', {});
    expect(response.status).toBe(200);
    expect(await response.json()).toStrictEqual([
      { name: 'duoguard', version: 'a', state: 'UNAVAILABLE', reason: 'unloaded' },
      ready,
      { name: 'duoguard', version: 'c', state: 'UNAVAILABLE', reason: 'model.onnx is not what the manifest says.' },
      { name: 'duoguard', version: 'd', state: 'LOADING', reason: '' },
      { name: 'duoguard', version: 'e', state: 'UNAVAILABLE', reason: 'on trial' },
    ]);
  });

  it('lists only what is ready when asked', async () => {
    const response = await createRepository().send('/v2/repository/index', { ready: true });
    expect(await response.json()).toStrictEqual([ready]);
  });

  it('takes no body at all, and JSON without a content type, as clients send it', async () => {
    const { ask, calls } = createRepository();
    expect((await ask('/v2/repository/index', { method: 'POST', headers: ADMIN })).status).toBe(200);
    const body = new TextEncoder().encode('{"parameters":{"version":"a"}}');
    expect((await ask(`${MODELS}/duoguard/load`, { method: 'POST', headers: ADMIN, body })).status).toBe(200);
    expect(calls).toEqual(['activate a']);
  });

  it.each([
    ['load', { parameters: { version: 'a' } }, 'activate a', { name: 'duoguard', load: true }],
    ['load', {}, 'activate b', { name: 'duoguard', load: true }],
    [
      'unload',
      { parameters: { version: 'b', unload_dependents: false } },
      'rollback b',
      { name: 'duoguard', unload: true },
    ],
  ])('%s %j does %s', async (action, body, call, answer) => {
    const { send, calls } = createRepository();
    const response = await send(`${MODELS}/duoguard/${action}`, body);
    expect(response.status).toBe(200);
    expect(await response.json()).toStrictEqual(answer);
    expect(calls).toEqual([call]);
  });

  it.each([
    ['another model', `${MODELS}/bert/load`, {}],
    ['unloading the model itself', `${MODELS}/duoguard/unload`, {}],
    ['a version that is no text', `${MODELS}/duoguard/load`, { parameters: { version: 7 } }],
    ['a body that is no JSON', '/v2/repository/index', '{'],
  ])('answers %s with 400 in its own shape', async (_, path, body) => {
    const { send, calls } = createRepository();
    const response = await send(path, body);
    expect(response.status).toBe(400);
    expect(await response.json()).toStrictEqual({ error: expect.any(String) });
    expect(calls).toEqual([]);
  });

  it.each([
    ['checkpoint_not_found', 404],
    ['checkpoint_busy', 409],
  ] as const)('says why a change failed: %s', async (code, status) => {
    const { send } = createRepository(new DuoguardError(code));
    const response = await send(`${MODELS}/duoguard/load`, { parameters: { version: 'x' } });
    expect(response.status).toBe(status);
    expect(await response.json()).toStrictEqual({ error: expect.any(String) });
  });

  it.each(['/v2/repository/index', `${MODELS}/duoguard/load`, `${MODELS}/duoguard/unload`])(
    'needs the scope admin: %s',
    async (path) => {
      const { send, ask, calls } = createRepository();
      expect((await send(path, {}, { authorization: 'Bearer classify-key' })).status).toBe(403);
      expect((await ask(path, post({}))).status).toBe(401);
      expect((await createAppUnderTest().app.request(path, post({}))).status).toBe(403);
      expect(calls).toEqual([]);
    },
  );

  it('swaps the checkpoints of a real server', async () => {
    const places = createPlaces();
    await addCheckpoint(places.shippedDir, 'a');
    await addCheckpoint(publishedDir(places), 'b');
    await setActive(places.shippedDir, 'a');
    const { url } = await startGuard({
      models_dir: places.shippedDir,
      state_dir: places.stateDir,
      checkpoint: 'active',
      checkpoint_poll_ms: 0,
      api_keys: ['classify+admin=admin-key-1'],
    });
    const send = async (path: string, body: unknown) => {
      const response = await fetch(`${url}${path}`, post(body, ADMIN));
      return { status: response.status, body: await response.json() };
    };
    const states = async () => {
      const { body } = await send('/v2/repository/index', {});
      const entries = body as { version: string; state: string }[];
      return Object.fromEntries(entries.map(({ version, state }) => [version, state]));
    };
    const inputs = [{ name: 'text', datatype: 'BYTES', shape: [1], data: ['calm'] }];
    const infer = (version: string) => send(`/v2/models/duoguard/versions/${version}/infer`, { inputs });
    const parameters = { version: 'b' };

    expect(await states()).toEqual({ a: 'READY', b: 'UNAVAILABLE' });
    expect((await infer('b')).status).toBe(400);
    expect((await send(`${MODELS}/duoguard/load`, { parameters })).status).toBe(200);
    expect(await states()).toEqual({ a: 'UNAVAILABLE', b: 'READY' });
    expect(await infer('b')).toMatchObject({ status: 200, body: { model_version: 'b' } });
    expect((await send(`${MODELS}/duoguard/unload`, { parameters })).status).toBe(200);
    expect(await infer('a')).toMatchObject({ status: 200, body: { model_version: 'a' } });
    expect((await send(`${MODELS}/duoguard/load`, { parameters: { version: 'nobody' } })).status).toBe(404);
  });
});
