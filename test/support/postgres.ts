import { randomBytes } from 'node:crypto';
import { connect as connectTo, createServer, type Socket } from 'node:net';
import pg from 'pg';
import { onTestFinished } from 'vitest';

/** A cluster that `.ci/with-postgres` has started. */
const CLUSTER = process.env['DUOGUARD_TEST_DATABASE_URL'];

/** For `describe.skipIf`. In CI nothing is skipped, so that a missing PostgreSQL fails. */
export function lacksPostgres(): boolean {
  if (CLUSTER !== undefined || process.env['CI'] !== undefined) return false;
  console.warn('Not tested with PostgreSQL: run it under .ci/with-postgres, or set DUOGUARD_TEST_DATABASE_URL.');
  return true;
}

/** The address of a new, empty database, which is dropped when the test ends. */
export async function createPostgresDatabase(): Promise<string> {
  if (CLUSTER === undefined) throw new Error('DUOGUARD_TEST_DATABASE_URL is not set; .ci/with-postgres sets it');
  const name = `duoguard_${randomBytes(6).toString('hex')}`;
  await inCluster(`CREATE DATABASE ${name}`);
  onTestFinished(() => inCluster(`DROP DATABASE ${name} WITH (FORCE)`));
  return Object.assign(new URL(CLUSTER), { pathname: `/${name}` }).href;
}

async function inCluster(sql: string): Promise<void> {
  const client = new pg.Client(CLUSTER);
  await client.connect();
  await client.query(sql);
  await client.end();
}

export interface Outage {
  /** Of the database, by way of this proxy. */
  readonly url: string;
  /** Cuts every connection and takes no new ones. */
  cut(): Promise<void>;
  restore(): Promise<void>;
}

/** A database that can be lost and found again without stopping the cluster that other tests use. */
export async function createOutage(databaseUrl: string): Promise<Outage> {
  const target = new URL(databaseUrl);
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const upstream = connectTo(Number(target.port), target.hostname);
    for (const [socket, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => {
        sockets.delete(socket);
        other.destroy();
      });
      socket.pipe(other);
    }
  });
  const listen = (port: number) => new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  await listen(0);
  const { port } = server.address() as { port: number };
  const cut = async () => {
    const closed = new Promise((resolve) => server.close(resolve));
    for (const socket of sockets) socket.destroy();
    await closed;
  };
  onTestFinished(cut);
  return {
    url: Object.assign(new URL(databaseUrl), { port: String(port) }).href,
    cut,
    restore: () => listen(port),
  };
}
