import { DuoguardError } from '../errors.ts';
import type { Database } from './database.ts';
import { migrate } from './migrations.ts';
import { createFeedbackStore, type FeedbackStore } from './store.ts';

/** `FeedbackStore` for the routes: every failure of the database is `feedback_unavailable`. */
export interface FeedbackService extends FeedbackStore {
  close(): Promise<void>;
}

export interface FeedbackServiceOptions {
  /** @param onEnd called when the database has ended by itself: the next call opens it anew. */
  readonly open: (onEnd: () => void) => Promise<Database>;
  /** Days that feedback is kept; 0 is until it is deleted. */
  readonly retentionDays: number;
  /** Rows beyond which nothing new is stored; 0 is no limit. */
  readonly maxRows: number;
  readonly onFailure: (error: unknown) => void;
  readonly onExpired: (rows: number) => void;
  readonly clock?: () => number;
  readonly sweepMs?: number;
}

const DAY_MS = 86_400_000;
const SWEEP_MS = 3_600_000;
const RETRY_AFTER_SECONDS = 5;

/**
 * Nothing is opened before the first call, or the first sweep of what is older than the retention. A database that
 * cannot be opened or is lost is tried again by the next call.
 */
export function createFeedbackService(options: FeedbackServiceOptions): FeedbackService {
  const { open, retentionDays, maxRows, onFailure, onExpired, clock = Date.now, sweepMs = SWEEP_MS } = options;
  let opening: Promise<{ database: Database; store: FeedbackStore }> | undefined;

  function opened() {
    if (opening === undefined) {
      const attempt = openDatabase(() => forget(attempt));
      opening = attempt;
      attempt.catch(() => forget(attempt));
    }
    return opening;
  }

  function forget(attempt: typeof opening): void {
    if (opening === attempt) opening = undefined;
  }

  async function openDatabase(onEnd: () => void) {
    const database = await open(onEnd);
    try {
      await migrate(database);
    } catch (error) {
      await database.close();
      throw error;
    }
    return { database, store: createFeedbackStore(database, { maxRows, clock }) };
  }

  async function ask<T>(question: (store: FeedbackStore) => Promise<T>): Promise<T> {
    try {
      const { store } = await opened();
      return await question(store);
    } catch (error) {
      if (error instanceof DuoguardError) throw error;
      onFailure(error);
      throw new DuoguardError('feedback_unavailable', {
        details: { retryAfterSeconds: RETRY_AFTER_SECONDS },
        cause: error,
      });
    }
  }

  const removeBefore = (createdAt: string) => ask((store) => store.removeBefore(createdAt));

  async function sweep(): Promise<void> {
    // A failure was told to `onFailure`; the next sweep tries again.
    const rows = await removeBefore(new Date(clock() - retentionDays * DAY_MS).toISOString()).catch(() => 0);
    if (rows > 0) onExpired(rows);
  }

  const timer = retentionDays === 0 ? undefined : setInterval(() => void sweep(), sweepMs).unref();

  return {
    add: (feedback, idempotencyKey) => ask((store) => store.add(feedback, idempotencyKey)),
    list: (limit, before) => ask((store) => store.list(limit, before)),
    exportable: (limit, after) => ask((store) => store.exportable(limit, after)),
    remove: (id) => ask((store) => store.remove(id)),
    removeBefore,
    async close() {
      clearInterval(timer);
      const last = await opening?.catch(() => undefined);
      opening = undefined;
      await last?.database.close();
    },
  };
}
