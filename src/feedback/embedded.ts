import { Worker } from 'node:worker_threads';
import type { Database, Query, Row } from './database.ts';
import type { FromEmbedded, ToEmbedded } from './embedded-protocol.ts';

/** What the embedded database failed with; `code` is SQLite's. */
class EmbeddedFailure extends Error {
  override readonly name = 'EmbeddedFailure';
  readonly code: string;

  constructor(code: string) {
    super(code);
    this.code = code;
  }
}

/**
 * Opens the file, or creates it with its directory, in a thread of its own.
 *
 * @param onEnd called when the thread has ended by itself; what waits for it is then rejected.
 */
export async function openEmbedded(path: string, onEnd: () => void): Promise<Database> {
  const worker = spawn(path);
  const waiting = new Map<number, { resolve: (rows: Row[]) => void; reject: (error: EmbeddedFailure) => void }>();
  let ended = false;
  let next = 0;

  const exited = new Promise<void>((resolve) => {
    worker.once('exit', () => {
      ended = true;
      for (const { reject } of waiting.values()) reject(new EmbeddedFailure('ended'));
      waiting.clear();
      onEnd();
      resolve();
    });
  });
  const opened = new Promise<void>((resolve, reject) => {
    worker.on('error', () => reject(new EmbeddedFailure('ended')));
    worker.on('message', (message: FromEmbedded) => {
      if ('ready' in message) return resolve();
      if ('unusable' in message) return reject(new EmbeddedFailure(message.unusable));
      const asked = waiting.get(message.id);
      waiting.delete(message.id);
      if ('rows' in message) asked?.resolve([...message.rows]);
      else asked?.reject(new EmbeddedFailure(message.failed));
    });
  });
  await opened;

  const send: Query = (sql, values = []) =>
    new Promise((resolve, reject) => {
      if (ended) return reject(new EmbeddedFailure('ended'));
      const id = next++;
      waiting.set(id, { resolve, reject });
      worker.postMessage({ id, sql, values } satisfies ToEmbedded);
    });

  /** Statements of others wait for a transaction: there is one connection. */
  let turn: Promise<unknown> = Promise.resolve();

  async function transaction<T>(run: (query: Query) => Promise<T>): Promise<T> {
    await send('BEGIN IMMEDIATE');
    try {
      const result = await run(send);
      await send('COMMIT');
      return result;
    } catch (error) {
      await send('ROLLBACK');
      throw error;
    }
  }

  return {
    query: (sql, values) => turn.then(() => send(sql, values)),
    exclusively(run) {
      const result = turn.then(() => transaction(run));
      turn = result.catch(() => {});
      return result;
    },
    async close() {
      await turn;
      worker.postMessage('close');
      await exited;
    },
  };
}

function spawn(path: string): Worker {
  if (!import.meta.url.endsWith('.ts')) {
    return new Worker(new URL('./embedded-worker.js', import.meta.url), { workerData: path });
  }
  return new Worker(new URL('./embedded-worker-from-source.mjs', import.meta.url), { workerData: path });
}
