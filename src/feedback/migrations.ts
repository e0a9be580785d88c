import type { Database } from './database.ts';

interface Migration {
  readonly number: number;
  readonly name: string;
  readonly statements: readonly string[];
}

/** In the SQL that both databases understand. One that was released never changes; what follows gets the next number. */
const MIGRATIONS: readonly Migration[] = [
  {
    number: 1,
    name: 'feedback',
    statements: [
      `CREATE TABLE duoguard_feedback (
        id TEXT PRIMARY KEY,
        created_at TEXT NOT NULL,
        subject_key TEXT NOT NULL UNIQUE,
        idempotency_key TEXT UNIQUE,
        verdict_id TEXT,
        item INTEGER NOT NULL,
        text TEXT,
        text_key TEXT,
        kind TEXT NOT NULL,
        lang TEXT,
        unsafe INTEGER NOT NULL,
        categories TEXT NOT NULL,
        checkpoint TEXT,
        scores TEXT,
        note TEXT
      )`,
      'CREATE INDEX duoguard_feedback_verdict ON duoguard_feedback (verdict_id)',
      'CREATE INDEX duoguard_feedback_created ON duoguard_feedback (created_at)',
      'CREATE INDEX duoguard_feedback_text ON duoguard_feedback (text_key)',
    ],
  },
];

/**
 * Brings the tables to what this version needs, in one transaction: a process that is killed leaves nothing half done,
 * and of many that start at once one does the work. Tables of a later version are left as they are.
 */
export function migrate(database: Database, migrations = MIGRATIONS): Promise<void> {
  return database.exclusively(async (query) => {
    await query(
      'CREATE TABLE IF NOT EXISTS duoguard_migrations (number INTEGER PRIMARY KEY, name TEXT NOT NULL, applied_at TEXT NOT NULL)',
    );
    const applied = new Set((await query('SELECT number FROM duoguard_migrations')).map((row) => row['number']));
    for (const { number, name, statements } of migrations.filter((migration) => !applied.has(migration.number))) {
      for (const statement of statements) await query(statement);
      await query('INSERT INTO duoguard_migrations (number, name, applied_at) VALUES ($1, $2, $3)', [
        number,
        name,
        new Date().toISOString(),
      ]);
    }
  });
}
