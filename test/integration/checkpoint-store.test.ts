import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { publishedDir } from '../../src/checkpoint/places.ts';
import { setActive, writeIndex } from '../../src/checkpoint/publish.ts';
import { readManifest } from '../../src/checkpoint/read-manifest.ts';
import { createMirror, type MirrorOptions } from '../../src/checkpoint/store/mirror.ts';
import { openStore, type StoreOptions } from '../../src/checkpoint/store/open-store.ts';
import { verifyFiles } from '../../src/checkpoint/verify-files.ts';
import { temporaryDirectory, writeFixtureCheckpoint } from '../support/fixture-checkpoint.ts';
import { createPlaces } from '../support/published-fixtures.ts';
import { listen, type StoreServer, serveBucket, serveFiles } from '../support/store-servers.ts';

/** What moving an old checkpoint away waits for. */
const removal = vi.hoisted(() => ({ held: async () => {} }));
vi.mock('node:fs/promises', async (original) => {
  const disk = await original<typeof import('node:fs/promises')>();
  const rename: typeof disk.rename = async (from, to) => {
    if (String(to).includes('.removed-')) await removal.held();
    await disk.rename(from, to);
  };
  return { ...disk, rename };
});

const LARGE = 'weights/large.bin';
const LARGE_BYTES = 700_000;

/** A checkpoint with a file that takes several packets. */
function add(root: string, id: string, large = LARGE_BYTES): Promise<string> {
  return writeFixtureCheckpoint(join(root, id), {
    manifest: { id },
    files(directory) {
      mkdirSync(join(directory, 'weights'));
      writeFileSync(join(directory, LARGE), Buffer.alloc(large, id));
    },
  });
}

async function mirrorOf(
  server: StoreServer,
  options: Partial<MirrorOptions> & { readonly open?: Partial<StoreOptions> } = {},
) {
  const { open, ...rest } = options;
  const store = await openStore({ url: server.url, s3Endpoint: server.endpoint, redirects: 'same-origin', ...open });
  const events: string[] = [];
  const places = options.places ?? createPlaces();
  const mirror = await createMirror({
    store,
    places,
    follow: true,
    pollMs: 50,
    timeoutMs: 5000,
    maxBytes: 10_000_000,
    refusedForMs: 600_000,
    missingForMs: 600_000,
    keep: 3,
    inUse: () => [],
    observer: {
      polled: (result) => events.push(typeof result === 'string' ? result : result.code),
      downloaded: (id) => events.push(`downloaded ${id}`),
      failed: (id, { code }) => events.push(`failed ${id} ${code}`),
      removed: (id) => events.push(`removed ${id}`),
      broke: (error) => events.push(`broke ${error}`),
    },
    ...rest,
  });
  onTestFinished(() => mirror.close());
  const root = publishedDir(places);
  return {
    mirror,
    events,
    places,
    root,
    active: () => (JSON.parse(readFileSync(join(root, 'active.json'), 'utf8')) as { id: string }).id,
    here: () => (existsSync(root) ? readdirSync(root).filter((name) => name !== 'active.json') : []).sort(),
  };
}

async function expectSound(directory: string): Promise<void> {
  const { files } = await readManifest(directory);
  expect(Object.keys(files).sort()).toEqual(['model.onnx', 'tokenizer.json', LARGE]);
  await verifyFiles(directory, files, []);
}

describe.each([
  ['HTTP', serveFiles],
  ['HTTP with weak tags', (directory: string) => serveFiles(directory, { weakTags: true })],
  ['S3', serveBucket],
])('a store over %s', (kind, serve) => {
  test('is followed: what it names is fetched, verified and published here; then nothing is sent twice', async () => {
    const models = temporaryDirectory();
    await add(models, 'one');
    await setActive(models, 'one');
    const server = await serve(models);
    await server.publish();
    const { mirror, events, root, active, here } = await mirrorOf(server);
    await mirror.look();
    expect(active()).toBe('one');
    expect(here()).toEqual(['one']);
    await expectSound(join(root, 'one'));
    const requests = server.seen.length;
    await mirror.look();
    expect(server.seen.slice(requests).map(({ status }) => status)).toEqual([304]);

    await add(models, 'two');
    await setActive(models, 'two');
    await server.publish();
    await mirror.look();
    expect(active()).toBe('two');
    await expectSound(join(root, 'two'));
    expect(events).toEqual(['changed', 'downloaded one', 'unchanged', 'changed', 'downloaded two']);
    expect(mirror.listed.map(({ id }) => id)).toEqual(['one', 'two']);
  });

  test('whose connection breaks off is asked for the rest only', async () => {
    const models = temporaryDirectory();
    await add(models, 'one');
    await setActive(models, 'one');
    const server = await serve(models);
    await server.publish();
    server.cut(LARGE, 200_000, 2);
    const { mirror, root } = await mirrorOf(server);
    await mirror.look();
    await expectSound(join(root, 'one'));
    const asked = server.seen.filter(({ path }) => path.endsWith(LARGE));
    expect(asked.map(({ status }) => status)).toEqual([200, 206, 206]);
    expect(asked.map(({ headers }) => headers.range)).toEqual([undefined, 'bytes=200000-', 'bytes=400000-']);
    expect(asked.reduce((sum, { bytes }) => sum + bytes, 0)).toBe(LARGE_BYTES);
    const tags = asked.slice(1).map(({ headers }) => headers[kind === 'S3' ? 'if-match' : 'if-range']);
    expect(tags).toEqual(
      kind === 'HTTP with weak tags' ? [undefined, undefined] : Array(2).fill(expect.stringMatching(/^"/)),
    );
  });

  test('that lacks a file, or the checkpoint, is told by name', async () => {
    const models = temporaryDirectory();
    await add(models, 'one');
    rmSync(join(models, 'one', 'tokenizer.json'));
    await writeIndex(models);
    const server = await serve(models);
    await server.publish();
    const { mirror, here } = await mirrorOf(server);
    await expect(mirror.fetch('one')).rejects.toMatchObject({ code: 'checkpoint_file_missing' });
    await expect(mirror.fetch('other')).rejects.toMatchObject({ code: 'checkpoint_not_found' });
    expect(here()).toEqual([]);
  });
});

describe('a checkpoint that somebody asked for', () => {
  async function keepsNothing() {
    const models = temporaryDirectory();
    for (const id of ['active', 'asked', 'other']) await add(models, id, 1000);
    await setActive(models, 'active');
    const server = await serveFiles(models);
    const under = await mirrorOf(server, { keep: 0 });
    await under.mirror.look();
    return under;
  }

  test('is not removed before it is loaded, by however many', async () => {
    const { mirror, here } = await keepsNothing();
    await mirror.fetch('asked', async () => {
      await mirror.fetch('asked', async () => {});
      await mirror.look();
      expect(here()).toEqual(['active', 'asked']);
    });
    await mirror.look();
    expect(here()).toEqual(['active']);
  });

  test('is not held by one that failed', async () => {
    const { mirror, here } = await keepsNothing();
    await expect(mirror.fetch('asked', () => Promise.reject(new Error('refused')))).rejects.toThrow('refused');
    await mirror.look();
    expect(here()).toEqual(['active']);
  });

  test('is fetched again when it is just being removed', async () => {
    const { mirror, root } = await keepsNothing();
    await mirror.fetch('asked');
    const begun = new Promise<void>((begin) => {
      onTestFinished(() => {
        removal.held = async () => {};
      });
      removal.held = () => {
        begin();
        return new Promise((resolve) => setTimeout(resolve, 50));
      };
    });
    const looking = mirror.look();
    await begun;
    await mirror.fetch('asked', async () => {
      await looking;
      await expectSound(join(root, 'asked'));
    });
  });
});

/** A store over HTTP with one checkpoint, which `damage` may change before it is handed out. */
async function storeWith(damage: (directory: string) => void = () => {}, reindex = true) {
  const models = temporaryDirectory();
  await add(models, 'one');
  await setActive(models, 'one');
  damage(join(models, 'one'));
  if (reindex) await writeIndex(models);
  return { models, server: await serveFiles(models) };
}

function editManifest(directory: string, edit: (manifest: { id: string; files: Record<string, unknown> }) => void) {
  const path = join(directory, 'manifest.json');
  const manifest = JSON.parse(readFileSync(path, 'utf8'));
  edit(manifest);
  writeFileSync(path, JSON.stringify(manifest));
}

const nameFile = (path: string) => (directory: string) =>
  editManifest(directory, ({ files }) => {
    files[path] = { sha256: '0'.repeat(64), bytes: 5 };
  });

describe('a checkpoint that cannot be used is refused before it is visible', () => {
  test.each<[string, string, (directory: string) => void, boolean?]>([
    ['a flipped byte', 'checkpoint_file_corrupt', (one) => flip(join(one, LARGE))],
    ['a short file', 'checkpoint_file_corrupt', (one) => writeFileSync(join(one, LARGE), 'short')],
    ['a long file', 'checkpoint_file_corrupt', (one) => writeFileSync(join(one, LARGE), Buffer.alloc(LARGE_BYTES + 1))],
    ['another manifest than the index says', 'checkpoint_file_corrupt', nameFile('added'), false],
    ['a path outside', 'checkpoint_path_outside', nameFile('../outside.json')],
    ['an absolute path', 'checkpoint_path_outside', nameFile('/etc/hosts')],
    ['a manifest among its files', 'checkpoint_manifest_invalid', nameFile('manifest.json')],
    ['a path with nothing in it', 'checkpoint_manifest_invalid', nameFile('a//b')],
    ['a file that is also a directory', 'checkpoint_manifest_invalid', nameFile('weights')],
    ['labels in another order', 'checkpoint_labels_mismatch', (one) => swapLabels(one)],
  ])('%s: %s', async (_, code, damage, reindex) => {
    const { server } = await storeWith(damage, reindex);
    const { mirror, events, here } = await mirrorOf(server);
    await expect(mirror.look()).rejects.toMatchObject({ code });
    expect(here()).toEqual([]);
    const outside = server.seen.filter(({ path }) => /outside|hosts/.test(path));
    expect(outside).toEqual([]);
    const requests = server.seen.length;
    // Not fetched again until the store says something else about it.
    await mirror.look();
    expect(server.seen.length).toBe(requests + 1);
    expect(events).toEqual(['changed', `failed one ${code}`, 'unchanged']);
  });

  test('and fetched once the store has mended it', async () => {
    const { models, server } = await storeWith((one) => flip(join(one, LARGE)));
    const { mirror, root, active } = await mirrorOf(server);
    await expect(mirror.look()).rejects.toThrow();
    rmSync(join(models, 'one'), { recursive: true });
    await writeFixtureCheckpoint(join(models, 'one'), { manifest: { id: 'one', created: '2026-01-01T00:00:00Z' } });
    await writeIndex(models);
    await mirror.look();
    expect(active()).toBe('one');
    expect(existsSync(join(root, 'one', 'model.onnx'))).toBe(true);
  });

  test('and tried again after a while: an upload may have been in progress', async () => {
    const { models, server } = await storeWith();
    const [path, aside] = [join(models, 'one', 'tokenizer.json'), join(models, 'tokenizer.json')];
    renameSync(path, aside);
    const { mirror, active } = await mirrorOf(server, { missingForMs: 0 });
    await expect(mirror.look()).rejects.toMatchObject({ code: 'checkpoint_file_missing' });
    renameSync(aside, path);
    await mirror.look();
    expect(active()).toBe('one');
  });

  test('more bytes than are allowed', async () => {
    const { server } = await storeWith();
    const { mirror, here } = await mirrorOf(server, { maxBytes: LARGE_BYTES });
    await expect(mirror.look()).rejects.toMatchObject({ code: 'checkpoint_too_large' });
    expect(server.seen.some(({ path }) => path.endsWith(LARGE))).toBe(false);
    expect(here()).toEqual([]);
  });
});

function flip(path: string): void {
  const bytes = readFileSync(path);
  (bytes[bytes.length >> 1] as number) ^= 1;
  writeFileSync(path, bytes);
}

function swapLabels(directory: string): void {
  editManifest(directory, (manifest) => {
    const labels = (manifest as unknown as { labels: string[] }).labels;
    labels.reverse();
  });
}

test('what was interrupted goes on in another process', async () => {
  const { server } = await storeWith();
  const first = await mirrorOf(server);
  server.cut(LARGE, 300_000, 1);
  server.intercept = (request, response) => {
    if (request.headers.range === undefined) return false;
    response.writeHead(500).end();
    void first.mirror.close();
    return true;
  };
  await expect(first.mirror.look()).rejects.toThrow();
  expect(first.here().every((name) => name.startsWith('.'))).toBe(true);

  server.intercept = undefined;
  server.seen.length = 0;
  const second = await mirrorOf(server, { places: first.places });
  await second.mirror.look();
  expect(second.here()).toEqual(['one']);
  await expectSound(join(second.root, 'one'));
  expect(server.seen.map(({ path, headers }) => [path, headers.range])).toEqual([
    ['/index.json', undefined],
    [`/one/${LARGE}`, 'bytes=300000-'],
  ]);
});

test('a part that does not belong to the file is fetched anew', async () => {
  const { server } = await storeWith();
  const { mirror, root, here } = await mirrorOf(server);
  server.cut(LARGE, 300_000, 1);
  let spoilt = false;
  server.intercept = (request) => {
    if (request.headers.range !== undefined && !spoilt) {
      writeFileSync(join(root, '.download-one', 'files', LARGE), Buffer.alloc(300_000, 'x'));
      spoilt = true;
    }
    return false;
  };
  await mirror.look();
  expect(here()).toEqual(['one']);
  await expectSound(join(root, 'one'));
});

test('servers that share a directory download once', async () => {
  const { server } = await storeWith();
  const first = await mirrorOf(server);
  const second = await mirrorOf(server, { places: first.places });
  const results = await Promise.allSettled([first.mirror.look(), second.mirror.look()]);
  expect(results.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
  expect([...first.events, ...second.events]).toContain('failed one checkpoint_busy');
  expect(server.seen.filter(({ path }) => path.endsWith(LARGE))).toHaveLength(1);
  await first.mirror.look();
  await second.mirror.look();
  expect(first.here()).toEqual(['one']);
});

test('a state directory that cannot be written is told from a store that cannot be read', async () => {
  const { server } = await storeWith();
  const places = createPlaces();
  mkdirSync(places.stateDir, { recursive: true });
  writeFileSync(publishedDir(places), 'a file');
  const { mirror, events } = await mirrorOf(server, { places });
  await expect(mirror.look()).rejects.toMatchObject({ code: 'state_unwritable' });
  expect(events).toEqual(['changed', 'failed one state_unwritable']);
});

test('a store that falls silent is given up, and asked again', async () => {
  const { server } = await storeWith();
  const { mirror, events } = await mirrorOf(server, { timeoutMs: 100 });
  server.intercept = () => true;
  await expect(mirror.look()).rejects.toMatchObject({ code: 'checkpoint_store_unreachable' });
  server.intercept = undefined;
  mirror.start();
  await expect.poll(() => events, { timeout: 20_000 }).toContain('downloaded one');
});

test.each([
  ['no index', undefined, 'checkpoint_store_invalid'],
  ['an index that is not JSON', '<html>', 'checkpoint_store_invalid'],
  ['an index of another format', '{"format":2,"active":null,"checkpoints":[]}', 'checkpoint_store_invalid'],
  ['an active one that is not listed', '{"format":1,"active":"one","checkpoints":[]}', 'checkpoint_store_invalid'],
])('%s: %s', async (_, index, code) => {
  const { models, server } = await storeWith();
  if (index === undefined) rmSync(join(models, 'index.json'));
  else writeFileSync(join(models, 'index.json'), index);
  const { mirror, events } = await mirrorOf(server);
  await expect(mirror.look()).rejects.toMatchObject({ code });
  expect(events).toEqual([code]);
});

describe('redirects', () => {
  async function redirecting(redirects: StoreOptions['redirects'], to: (server: StoreServer) => string) {
    const { server } = await storeWith();
    const port = await listen((request, response) => {
      const own = request.url?.startsWith('/moved') !== true;
      if (own) return response.writeHead(302, { location: `${to(server)}${request.url}` }).end();
      response.writeHead(302, { location: `${server.url}${request.url?.slice('/moved'.length)}` }).end();
    });
    const mirrored = await mirrorOf(server, {
      open: { url: `http://127.0.0.1:${port}`, redirects, token: 'token-of-the-store' },
    });
    return { ...mirrored, server };
  }

  test('to another origin need to be allowed, and get no credentials', async () => {
    const allowed = await redirecting('any', ({ url }) => url);
    await allowed.mirror.look();
    expect(allowed.here()).toEqual(['one']);
    expect(allowed.server.seen.some(({ headers }) => headers.authorization !== undefined)).toBe(false);
    for (const redirects of ['same-origin', 'none'] as const) {
      const { mirror, server } = await redirecting(redirects, ({ url }) => url);
      await expect(mirror.look()).rejects.toMatchObject({ code: 'checkpoint_store_invalid' });
      expect(server.seen).toEqual([]);
    }
  });

  test('in a circle, or to what is no web address, end', async () => {
    for (const to of ['', 'file:///etc', 'http://user:password@127.0.0.1']) {
      const { mirror } = await redirecting('any', () => to);
      await expect(mirror.look()).rejects.toMatchObject({ code: 'checkpoint_store_invalid' });
    }
  });
});

test('credentials of the address and its query go to the store, and not into its name', async () => {
  const { server } = await storeWith();
  const url = server.url.replace('http://', 'http://user:pass%20word@');
  const store = await openStore({ url: `${url}/?signature=secret`, redirects: 'none' });
  expect(store.address).toBe(`${server.url}/`);
  await store.get('one/a b', { signal: new AbortController().signal });
  const [request] = server.seen;
  expect(request?.headers.authorization).toBe(`Basic ${Buffer.from('user:pass word').toString('base64')}`);
  expect(request?.path).toBe('/one/a b');
});

test('what was rolled back here is not published again, also after a restart', async () => {
  const { server } = await storeWith();
  const { mirror, places, root, active } = await mirrorOf(server);
  await mirror.look();
  await add(root, 'trained');
  await setActive(root, 'trained');
  await mirror.look();
  const again = await mirrorOf(server, { places });
  await again.mirror.look();
  expect(active()).toBe('trained');
});

test('old downloads are removed, but never what is in use', async () => {
  const { models, server } = await storeWith();
  const { mirror, here, events } = await mirrorOf(server, { keep: 1, inUse: () => ['one'] });
  for (const id of ['one', 'two', 'three', 'four']) {
    if (id !== 'one') await add(models, id, 10);
    await setActive(models, id);
    await mirror.look();
  }
  expect(here()).toEqual(['four', 'one', 'three']);
  expect(events).toContain('removed two');
  await mirror.fetch('two');
  expect(here()).toContain('two');
});
