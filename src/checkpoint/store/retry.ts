import { setTimeout as sleep } from 'node:timers/promises';
import { DuoguardError } from '../../errors.ts';

export interface Backoff {
  /** Before the second attempt, doubled before each later one. */
  readonly baseMs: number;
  readonly maxMs: number;
}

/**
 * Milliseconds to wait after so many failures in a row, 1 or more: between half and all of the doubled base, so that
 * replicas that failed together do not come back together.
 *
 * @param random in [0, 1)
 */
export function backoffMs(failures: number, { baseMs, maxMs }: Backoff, random: number = Math.random()): number {
  const longest = Math.min(maxMs, baseMs * 2 ** (failures - 1));
  return longest * (0.5 + random / 2);
}

export interface RetryOptions extends Backoff {
  /** Most failures in a row. */
  readonly attempts: number;
  readonly signal: AbortSignal;
  /** Failures count from anew when this has grown: a large file may need any number of connections. */
  readonly progress?: () => number;
}

/** Repeats what failed with `checkpoint_store_unreachable`. Other failures, and the last one, are thrown. */
export async function retrying<T>(work: () => Promise<T>, options: RetryOptions): Promise<T> {
  const { attempts, signal, progress = () => 0 } = options;
  let failures = 0;
  let reached = progress();
  for (;;) {
    try {
      return await work();
    } catch (error) {
      signal.throwIfAborted();
      if (!isTransient(error)) throw error;
      failures = progress() > reached ? 1 : failures + 1;
      reached = progress();
      if (failures >= attempts) throw error;
      const asked = Number(error.details['retryAfterSeconds'] ?? 0) * 1000;
      await sleep(Math.max(backoffMs(failures, options), Math.min(asked, options.maxMs)), undefined, { signal });
    }
  }
}

export function isTransient(error: unknown): error is DuoguardError {
  return error instanceof DuoguardError && error.code === 'checkpoint_store_unreachable';
}
