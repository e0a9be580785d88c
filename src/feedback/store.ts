import { createHash } from 'node:crypto';
import { DuoguardError } from '../errors.ts';
import type { Database, Row, Value } from './database.ts';
import type { Feedback, Kind, StoredFeedback } from './entry.ts';
import { createFeedbackIds } from './feedback-id.ts';

/** The statements, the same for both databases. Failures of the database come out as its driver throws them. */
export interface FeedbackStore {
  /**
   * The same label for the same text is stored once; what was not known of it before is filled in. Throws
   * `idempotency_key_reused`, and `feedback_full` for what is new.
   */
  add(
    feedback: Feedback,
    idempotencyKey: string | undefined,
  ): Promise<{ readonly id: string; readonly created: boolean }>;
  /** Newest first, from before an id. */
  list(limit: number, before: string | undefined): Promise<StoredFeedback[]>;
  /** Oldest first, from behind an id: those with a text, and of each text only what was said last. */
  exportable(limit: number, after: string): Promise<StoredFeedback[]>;
  /** By its own id, or all of one answer or request. Resolves with how many there were. */
  remove(id: string): Promise<number>;
  removeBefore(createdAt: string): Promise<number>;
}

const COLUMNS = 'id, created_at, verdict_id, item, text, kind, lang, unsafe, categories, checkpoint, scores, note';

const INSERT = `INSERT INTO duoguard_feedback
  (${COLUMNS}, text_key, subject_key, idempotency_key)
  VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
  ON CONFLICT DO NOTHING RETURNING id`;

const FIND = `SELECT id, subject_key, idempotency_key FROM duoguard_feedback
  WHERE subject_key = $1 OR idempotency_key = $2`;

const FILL_IN = `UPDATE duoguard_feedback SET text = $1, text_key = $2, kind = $3, lang = COALESCE(lang, $4),
  checkpoint = COALESCE(checkpoint, $5), scores = COALESCE(scores, $6)
  WHERE subject_key = $7 AND text IS NULL`;

const EXPORT = `SELECT ${COLUMNS} FROM duoguard_feedback AS entry
  WHERE id > $1 AND text IS NOT NULL AND NOT EXISTS
    (SELECT 1 FROM duoguard_feedback AS later WHERE later.text_key = entry.text_key AND later.id > entry.id)
  ORDER BY id LIMIT $2`;

const COUNT = 'SELECT CAST(COUNT(*) AS INTEGER) AS kept FROM duoguard_feedback';

export interface FeedbackStoreOptions {
  /** 0 is no limit. */
  readonly maxRows?: number;
  readonly clock?: () => number;
}

export function createFeedbackStore({ query }: Database, options: FeedbackStoreOptions = {}): FeedbackStore {
  const { maxRows = 0, clock = Date.now } = options;
  const nextId = createFeedbackIds(clock);
  const isFull = async () => maxRows > 0 && Number((await query(COUNT))[0]?.['kept']) >= maxRows;
  return {
    async add(feedback, idempotencyKey) {
      const subject = subjectKey(feedback);
      const idempotency = idempotencyKey === undefined ? null : sha256(idempotencyKey);
      for (;;) {
        const id = nextId();
        const createdAt = new Date(clock()).toISOString();
        const { text, kind, lang, checkpoint } = feedback;
        const textKey = text === null ? null : sha256(text);
        const scores = json(feedback.scores);
        const full = await isFull();
        if (!full) {
          const inserted = await query(INSERT, [
            ...[id, createdAt, feedback.verdictId, feedback.item, text, kind, lang, feedback.unsafe ? 1 : 0],
            ...[json(feedback.categories), checkpoint, scores, feedback.note, textKey, subject, idempotency],
          ]);
          if (inserted.length > 0) return { id, created: true };
        }
        const found = await query(FIND, [subject, idempotency]);
        if (found.some((row) => row['idempotency_key'] === idempotency && row['subject_key'] !== subject)) {
          throw new DuoguardError('idempotency_key_reused');
        }
        const known = found.find((row) => row['subject_key'] === subject);
        if (known === undefined) {
          if (full) throw new DuoguardError('feedback_full');
          // Somebody removed it in between.
          continue;
        }
        if (text !== null) await query(FILL_IN, [text, textKey, kind, lang, checkpoint, scores, subject]);
        return { id: String(known['id']), created: false };
      }
    },
    async list(limit, before) {
      const rows = await query(
        `SELECT ${COLUMNS} FROM duoguard_feedback WHERE id < $1 ORDER BY id DESC LIMIT $2`,
        // Behind every id.
        [before ?? 'fb-g', limit],
      );
      return rows.map(toFeedback);
    },
    async exportable(limit, after) {
      return (await query(EXPORT, [after, limit])).map(toFeedback);
    },
    async remove(id) {
      return (await query('DELETE FROM duoguard_feedback WHERE id = $1 OR verdict_id = $2 RETURNING id', [id, id]))
        .length;
    },
    async removeBefore(createdAt) {
      return (await query('DELETE FROM duoguard_feedback WHERE created_at < $1 RETURNING id', [createdAt])).length;
    },
  };
}

/** What is the same when two say the same of the same: the verdict, or else the text, with the label. */
function subjectKey({ verdictId, item, text, unsafe, categories }: Feedback): string {
  const subject = verdictId === null ? ['text', text] : ['verdict', verdictId, item];
  return sha256(JSON.stringify([subject, unsafe, categories]));
}

function toFeedback(row: Row): StoredFeedback {
  const text = (name: string) => row[name] as string | null;
  return {
    id: row['id'] as string,
    createdAt: row['created_at'] as string,
    verdictId: text('verdict_id'),
    item: row['item'] as number,
    text: text('text'),
    kind: row['kind'] as Kind,
    lang: text('lang'),
    unsafe: row['unsafe'] === 1,
    categories: JSON.parse(row['categories'] as string),
    checkpoint: text('checkpoint'),
    scores: row['scores'] === null ? null : JSON.parse(row['scores'] as string),
    note: text('note'),
  };
}

function json(value: unknown): Value {
  return value === null ? null : JSON.stringify(value);
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
