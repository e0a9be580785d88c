import { mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import type { Database } from '../../src/feedback/database.ts';
import { openEmbedded } from '../../src/feedback/embedded.ts';
import { migrate } from '../../src/feedback/migrations.ts';
import { openPostgres } from '../../src/feedback/postgres.ts';
import { createFeedbackStore } from '../../src/feedback/store.ts';
import { embeddedPath, feedbackFor, startFeedback } from '../support/feedback.ts';
import { createOutage, createPostgresDatabase, lacksPostgres } from '../support/postgres.ts';

/** Each makes a new database and returns how any number of processes would open it. */
const DATABASES = {
  embedded: async () => {
    const path = embeddedPath();
    return () => openEmbedded(path, () => {});
  },
  postgres: async () => {
    const url = await createPostgresDatabase();
    return () => openPostgres(url);
  },
};

const withoutPostgres = lacksPostgres();

describe.each(Object.entries(DATABASES))('feedback in the %s database', (name, create) => {
  const test = it.skipIf(name === 'postgres' && withoutPostgres);

  async function openStore() {
    const open = await create();
    const { service, failures } = startFeedback({ open });
    return { service, failures, open };
  }

  test('comes back as it was given', async () => {
    const { service } = await openStore();
    const given = feedbackFor({
      verdictId: 'cls-1',
      item: 3,
      text: 'Löse das: \u{1F9E8} "q" \\ \n',
      unsafe: true,
      categories: ['indiscriminate_weapons', 'hate'],
      checkpoint: 'duoguard-mini-2',
      scores: { hate: 0.125 },
      note: "it's $1 -- wrong",
    });
    const { id, created } = await service.add(given, undefined);
    expect(created).toBe(true);
    const [stored] = await service.list(10, undefined);
    const { id: _, createdAt, ...rest } = stored!;
    expect(rest).toEqual(given);
    expect(stored?.id).toBe(id);
    expect(new Date(createdAt).toISOString()).toBe(createdAt);
    expect(await service.exportable(10, '')).toEqual([stored]);
  });

  test('is stored once when the same is said twice, also at the same time', async () => {
    const { service } = await openStore();
    const same = feedbackFor({ verdictId: 'cls-1' });
    const receipts = await Promise.all(Array.from({ length: 12 }, () => service.add(same, undefined)));
    expect(receipts.filter(({ created }) => created)).toHaveLength(1);
    expect(new Set(receipts.map(({ id }) => id)).size).toBe(1);
    expect(await service.list(50, undefined)).toHaveLength(1);
    expect((await service.add({ ...same, item: 1 }, undefined)).created).toBe(true);
    expect((await service.add({ ...same, unsafe: true, categories: ['hate'] }, undefined)).created).toBe(true);
  });

  test('learns the text that was missing', async () => {
    const { service } = await openStore();
    const nameless = feedbackFor({ verdictId: 'cls-1', text: null, lang: null });
    const { id } = await service.add(nameless, undefined);
    expect(await service.exportable(10, '')).toEqual([]);
    expect(await service.add({ ...nameless, text: 'now', lang: 'de' }, undefined)).toEqual({ id, created: false });
    expect(await service.exportable(10, '')).toMatchObject([{ id, text: 'now', lang: 'de' }]);
    await service.add({ ...nameless, text: 'another' }, undefined);
    expect(await service.exportable(10, '')).toMatchObject([{ id, text: 'now' }]);
  });

  test('takes an idempotency key for one thing', async () => {
    const { service } = await openStore();
    const first = await service.add(feedbackFor(), 'key-1');
    expect(await service.add(feedbackFor(), 'key-1')).toEqual({ id: first.id, created: false });
    await expect(service.add(feedbackFor({ text: 'another' }), 'key-1')).rejects.toMatchObject({
      code: 'idempotency_key_reused',
    });
    expect(await service.list(10, undefined)).toHaveLength(1);
  });

  test('is listed newest first, in pages', async () => {
    const { service } = await openStore();
    const ids: string[] = [];
    for (let i = 0; i < 7; i++) ids.push((await service.add(feedbackFor({ text: `text ${i}` }), undefined)).id);
    const first = await service.list(4, undefined);
    const second = await service.list(4, first.at(-1)?.id);
    expect([...first, ...second].map(({ id }) => id)).toEqual(ids.toReversed());
    expect(await service.list(4, second.at(-1)?.id)).toEqual([]);
  });

  test('exports of each text what was said last', async () => {
    const { service } = await openStore();
    await service.add(feedbackFor({ text: 'a' }), undefined);
    await service.add(feedbackFor({ text: 'b' }), undefined);
    await service.add(feedbackFor({ text: 'a', unsafe: true, categories: ['hate'] }), undefined);
    const page = await service.exportable(1, '');
    const rest = await service.exportable(10, page[0]!.id);
    expect([...page, ...rest].map(({ text, unsafe }) => [text, unsafe])).toEqual([
      ['b', false],
      ['a', true],
    ]);
  });

  test('is deleted by its id and by what it is about', async () => {
    const { service } = await openStore();
    const { id } = await service.add(feedbackFor(), undefined);
    await service.add(feedbackFor({ verdictId: 'req-1', item: 0 }), undefined);
    await service.add(feedbackFor({ verdictId: 'req-1', item: 1 }), undefined);
    expect(await service.remove('nobody')).toBe(0);
    expect(await service.remove(id)).toBe(1);
    expect(await service.remove('req-1')).toBe(2);
    expect(await service.list(10, undefined)).toEqual([]);
    expect((await service.add(feedbackFor(), undefined)).created).toBe(true);
  });

  test('is refused when it is full, but for what is known, until some is deleted', async () => {
    const { service } = startFeedback({ open: await create(), maxRows: 2 });
    const first = await service.add(feedbackFor({ verdictId: 'cls-1', text: null }), undefined);
    await service.add(feedbackFor({ text: 'b' }), 'key-b');
    await expect(service.add(feedbackFor({ text: 'c' }), undefined)).rejects.toMatchObject({ code: 'feedback_full' });
    await expect(service.add(feedbackFor({ text: 'c' }), 'key-b')).rejects.toMatchObject({
      code: 'idempotency_key_reused',
    });
    const known = await service.add(feedbackFor({ verdictId: 'cls-1', text: 'a' }), undefined);
    expect(known).toEqual({ id: first.id, created: false });
    expect((await service.list(10, undefined)).map(({ text }) => text)).toEqual(['b', 'a']);
    await service.remove(first.id);
    expect((await service.add(feedbackFor({ text: 'c' }), undefined)).created).toBe(true);
  });

  test('is deleted when it is older than the retention', async () => {
    const open = await create();
    let now = Date.parse('2026-01-01T00:00:00Z');
    const expired: number[] = [];
    const { service } = startFeedback({
      open,
      retentionDays: 30,
      sweepMs: 5,
      clock: () => now,
      onExpired: (rows) => expired.push(rows),
    });
    await service.add(feedbackFor({ text: 'old' }), undefined);
    now += 20 * 86_400_000;
    await service.add(feedbackFor({ text: 'new' }), undefined);
    now += 11 * 86_400_000;
    await vi.waitFor(() => expect(expired).toEqual([1]), 10_000);
    expect(await service.list(10, undefined)).toMatchObject([{ text: 'new' }]);
  });

  test('is migrated once by many that start together', async () => {
    const open = await create();
    const databases = await Promise.all(Array.from({ length: 8 }, open));
    await Promise.all(databases.map((database) => migrate(database)));
    await Promise.all(
      databases.map((database, i) => createFeedbackStore(database).add(feedbackFor({ text: `text ${i}` }), undefined)),
    );
    expect(await createFeedbackStore(databases[0]!).list(50, undefined)).toHaveLength(8);
    expect(await databases[0]!.query('SELECT number FROM duoguard_migrations')).toEqual([{ number: 1 }]);
    await Promise.all(databases.map((database) => database.close()));
  });

  test('keeps nothing of a migration that fails', async () => {
    const database: Database = await (await create())();
    const broken = [
      { number: 1, name: 'good', statements: ['CREATE TABLE first_one (id INTEGER)'] },
      { number: 2, name: 'bad', statements: ['CREATE TABLE second_one (id INTEGER)', 'NO SUCH STATEMENT'] },
    ];
    await expect(migrate(database, broken)).rejects.toThrow();
    await expect(database.query('SELECT * FROM first_one')).rejects.toThrow();
    await migrate(database, [broken[0]!]);
    expect(await database.query('SELECT * FROM first_one')).toEqual([]);
    await database.close();
  });
});

describe('the embedded database', () => {
  it('is not opened before it is needed, and anew after its thread has ended', async () => {
    const path = embeddedPath();
    let opened = 0;
    const ends: (() => void)[] = [];
    const { service } = startFeedback({
      open: (onEnd) => {
        opened++;
        ends.push(onEnd);
        return openEmbedded(path, onEnd);
      },
    });
    expect(opened).toBe(0);
    await service.add(feedbackFor(), undefined);
    await service.list(1, undefined);
    expect(opened).toBe(1);
    ends[0]!();
    expect(await service.list(10, undefined)).toHaveLength(1);
    expect(opened).toBe(2);
  });

  it('says that it is unavailable when its directory cannot be made', async () => {
    const { service, failures } = startFeedback({ open: (onEnd) => openEmbedded('/dev/null/sub/feedback.db', onEnd) });
    await expect(service.add(feedbackFor(), undefined)).rejects.toMatchObject({ code: 'feedback_unavailable' });
    expect(failures).toMatchObject([{ code: 'ENOTDIR' }]);
  });

  it('can be read by its owner only, whatever directory it is in', async () => {
    const { service, path } = startFeedback();
    mkdirSync(dirname(path), { mode: 0o755 });
    await service.add(feedbackFor(), undefined);
    const modes = readdirSync(dirname(path)).map((file) => statSync(join(dirname(path), file)).mode & 0o777);
    expect(modes).toEqual(modes.map(() => 0o600));
  });

  it('keeps nothing of a deleted text in its files', async () => {
    const { service, path } = startFeedback();
    const text = 'a text somebody wants to be forgotten';
    const { id } = await service.add(feedbackFor({ text }), undefined);
    const files = () => [path, `${path}-wal`].map((file) => readFileSync(file, 'latin1')).join('');
    expect(files()).toContain(text);
    await service.remove(id);
    expect(files()).not.toContain(text);
  });
});

describe.skipIf(withoutPostgres)('PostgreSQL', () => {
  it('that is lost is unavailable, and used again when it is back', async () => {
    const outage = await createOutage(await createPostgresDatabase());
    const { service, failures } = startFeedback({ open: () => openPostgres(outage.url) });
    await service.add(feedbackFor({ text: 'before' }), undefined);
    await outage.cut();
    for (let i = 0; i < 3; i++) {
      await expect(service.add(feedbackFor({ text: 'during' }), undefined)).rejects.toMatchObject({
        code: 'feedback_unavailable',
        details: { retryAfterSeconds: 5 },
      });
    }
    expect(failures).toHaveLength(3);
    await outage.restore();
    await service.add(feedbackFor({ text: 'after' }), undefined);
    expect((await service.list(10, undefined)).map(({ text }) => text)).toEqual(['after', 'before']);
  });

  it('that is not there at the first call is found by a later one', async () => {
    const outage = await createOutage(await createPostgresDatabase());
    await outage.cut();
    const { service } = startFeedback({ open: () => openPostgres(outage.url) });
    await expect(service.list(1, undefined)).rejects.toMatchObject({ code: 'feedback_unavailable' });
    await outage.restore();
    expect(await service.list(1, undefined)).toEqual([]);
  });
});
