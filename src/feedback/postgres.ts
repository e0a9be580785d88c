import type { Database, Query } from './database.ts';

/** Feedback is rare beside verdicts; connections of a PostgreSQL that others share are not. */
const MAX_CONNECTIONS = 4;
const CONNECT_TIMEOUT_MS = 5_000;
const QUERY_TIMEOUT_MS = 10_000;
/** Names the lock that migrations hold: the bytes of `duog`. */
const MIGRATION_LOCK = 0x64756f67;

/**
 * Connections are opened as they are needed and again after they broke, so that a PostgreSQL that comes back is used
 * again. The driver is loaded at the first call.
 */
export async function openPostgres(url: string): Promise<Database> {
  const { default: pg } = await import('pg');
  const pool = new pg.Pool({
    connectionString: url,
    application_name: 'duoguard',
    max: MAX_CONNECTIONS,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    query_timeout: QUERY_TIMEOUT_MS,
    keepAlive: true,
  });
  // A connection that nobody used has ended. The pool has dropped it; without a listener the process would end.
  pool.on('error', () => {});
  const query: Query = async (sql, values = []) => (await pool.query(sql, [...values])).rows;
  return {
    query,
    async exclusively(run) {
      const client = await pool.connect();
      // The same for one that ends between two statements: the next statement says so.
      client.on('error', () => {});
      try {
        await client.query('BEGIN');
        await client.query('SELECT pg_advisory_xact_lock($1)', [MIGRATION_LOCK]);
        const result = await run(async (sql, values = []) => (await client.query(sql, [...values])).rows);
        await client.query('COMMIT');
        client.release();
        return result;
      } catch (error) {
        // Closing the connection rolls back, whatever state it is in.
        client.release(true);
        throw error;
      }
    },
    close: () => pool.end(),
  };
}
