import { closeSync, mkdirSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import Database from 'libsql';
import type { Row } from './database.ts';
import type { FromEmbedded, ToEmbedded } from './embedded-protocol.ts';

/** Entry of a worker thread: a commit waits for the disk, and must not stop the event loop that answers requests. */

const port = parentPort as MessagePort;

function say(message: FromEmbedded): void {
  port.postMessage(message);
}

function open(path: string): Database.Database {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  // SQLite would let everybody read it, and gives the files beside it the mode that it finds.
  closeSync(openSync(path, 'a', 0o600));
  const opened = new Database(path);
  // Another process may have the file open too.
  opened.exec('PRAGMA busy_timeout = 5000');
  opened.exec('PRAGMA journal_mode = WAL');
  // A commit returns when the disk has it.
  opened.exec('PRAGMA synchronous = FULL');
  opened.exec('PRAGMA secure_delete = ON');
  return opened;
}

function run(database: Database.Database, { sql, values }: ToEmbedded): Row[] {
  const statement = database.prepare(sql);
  const rows = statement.all(...values) as Row[];
  // What was deleted is overwritten in the database by a checkpoint; until then the log beside it still has it.
  if (sql.startsWith('DELETE')) database.exec('PRAGMA wal_checkpoint(TRUNCATE)');
  return rows;
}

function codeOf(error: unknown): string {
  return String((error as { code?: unknown }).code ?? 'SQLITE_UNKNOWN');
}

try {
  const database = open(workerData as string);
  port.on('message', (message: ToEmbedded | 'close') => {
    if (message === 'close') {
      database.close();
      return port.close();
    }
    try {
      say({ id: message.id, rows: run(database, message) });
    } catch (error) {
      say({ id: message.id, failed: codeOf(error) });
    }
  });
  say({ ready: true });
} catch (error) {
  say({ unusable: codeOf(error) });
  port.close();
}
