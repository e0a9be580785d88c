import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { createFixtureCheckpoint, temporaryDirectory } from '../support/fixture-checkpoint.ts';
import { createPostgresDatabase, lacksPostgres } from '../support/postgres.ts';
import { type ServerProcess, startProcess } from '../support/server-process.ts';

const WRITES = 1000;
const AT_ONCE = 8;
const KEYS = 'classify-key,admin=admin-key';

async function start(checkpoint: string, env: NodeJS.ProcessEnv) {
  const args = ['--models-dir', dirname(checkpoint), '--checkpoint', 'fixture', '--workers', '1'];
  const server = startProcess([...args, '--host', '127.0.0.1', '--port', '0'], { DUOGUARD_API_KEYS: KEYS, ...env });
  const { port } = await server.waitFor('listening');
  return { server, url: `http://127.0.0.1:${port}` };
}

/** Sends feedback until the server is killed, and returns what it acknowledged. */
async function writeUntilKilled({ server, url }: { server: ServerProcess; url: string }): Promise<Map<string, string>> {
  const acknowledged = new Map<string, string>();
  const killAfter = WRITES * (0.3 + 0.4 * Math.random());
  let next = 0;
  async function client(): Promise<void> {
    while (next < WRITES) {
      const text = `text ${next++} ${'x'.repeat(200)}`;
      const answer = await fetch(`${url}/v1/feedback`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', authorization: 'Bearer classify-key' },
        body: JSON.stringify({ text, unsafe: false, lang: 'en' }),
      });
      expect(answer.status).toBe(200);
      acknowledged.set(((await answer.json()) as { id: string }).id, text);
      if (acknowledged.size >= killAfter) server.child.kill('SIGKILL');
    }
  }
  const outcomes = await Promise.allSettled(Array.from({ length: AT_ONCE }, client));
  await server.exited;
  // Whoever waited for the killed server got no answer.
  for (const outcome of outcomes) if (outcome.status === 'rejected') expect(outcome.reason).toBeInstanceOf(TypeError);
  expect(acknowledged.size).toBeGreaterThanOrEqual(killAfter);
  expect(acknowledged.size).toBeLessThan(WRITES);
  return acknowledged;
}

async function readAll(url: string): Promise<Map<string, string>> {
  const stored = new Map<string, string>();
  let before = '';
  for (;;) {
    const answer = await fetch(`${url}/v1/feedback?limit=200${before}`, {
      headers: { authorization: 'Bearer admin-key' },
    });
    const page = (await answer.json()) as { feedback: { id: string; text: string }[]; next: string | null };
    for (const { id, text } of page.feedback) stored.set(id, text);
    if (page.next === null) return stored;
    before = `&before=${page.next}`;
  }
}

const withoutPostgres = lacksPostgres();

describe.each(['embedded', 'postgres'])('feedback in the %s database', (name) => {
  it.skipIf(name === 'postgres' && withoutPostgres)(
    'survives a server that is killed in the middle of 1,000 writes',
    async () => {
      const checkpoint = await createFixtureCheckpoint();
      const env =
        name === 'embedded'
          ? { DUOGUARD_FEEDBACK_DIR: join(temporaryDirectory(), 'feedback') }
          : { DATABASE_URL: await createPostgresDatabase() };
      const acknowledged = await writeUntilKilled(await start(checkpoint, env));
      const { url } = await start(checkpoint, env);
      const stored = await readAll(url);
      const lost = [...acknowledged].filter(([id, text]) => stored.get(id) !== text);
      expect(lost).toEqual([]);
      // At most those that nobody got an answer to.
      expect(stored.size - acknowledged.size).toBeLessThanOrEqual(AT_ONCE);
    },
  );
});

it('nothing is opened before the first call, and the server ends with what it took on disk', async () => {
  const directory = join(temporaryDirectory(), 'feedback');
  const { server, url } = await start(await createFixtureCheckpoint(), { DUOGUARD_FEEDBACK_DIR: directory });
  await server.waitFor('ready');
  expect(existsSync(directory)).toBe(false);
  const headers = { 'content-type': 'application/json', authorization: 'Bearer classify-key' };
  const body = JSON.stringify({ text: 'zqx planted marker', unsafe: false });
  expect((await fetch(`${url}/v1/feedback`, { method: 'POST', headers, body })).status).toBe(200);
  expect(existsSync(join(directory, 'feedback.db'))).toBe(true);
  server.child.kill('SIGTERM');
  expect(await server.exited).toBe(0);
  // Closed in order: nothing is left in the log beside the database.
  expect(existsSync(join(directory, 'feedback.db-wal'))).toBe(false);
  expect(JSON.stringify(server.log)).not.toContain('zqx');
});
