import { LRUCache } from 'lru-cache';

/** Of one client, after its request was counted. */
export interface Rate {
  readonly allowed: boolean;
  /** Requests in a minute, which may also come all at once. */
  readonly limit: number;
  readonly remaining: number;
  /** Seconds until all of `limit` is there again. */
  readonly resetSeconds: number;
  /** Seconds until the next request is allowed; 0 if it is now. */
  readonly retryAfterSeconds: number;
}

export interface RateLimiter {
  /** @param now milliseconds of a clock that never goes back. A refused request costs nothing. */
  take(client: string, now: number): Rate;
}

const MINUTE_MS = 60_000;

/** Times are sums of floating-point shares; what is a whole number but for their error counts as one. */
const EPSILON = 1e-6;

/** Some 10 MB. Whoever sends from more addresses than this is not stopped by counting addresses. */
const MAX_CLIENTS = 65_536;

/**
 * A bucket of `limit` requests that fills evenly over a minute, as the generic cell rate algorithm keeps it: of each
 * client only the time at which its bucket is full again. A forgotten client is one with a full bucket, so what the
 * bounded memory drops first, the longest unseen, loses nothing.
 */
export function createRateLimiter(limit: number): RateLimiter {
  const perRequest = MINUTE_MS / limit;
  const fullAt = new LRUCache<string, number>({ max: MAX_CLIENTS });
  return {
    take(client, now) {
      const before = Math.max(fullAt.get(client) ?? 0, now);
      const allowed = before + perRequest - now <= MINUTE_MS;
      const after = allowed ? before + perRequest : before;
      if (allowed) fullAt.set(client, after);
      const free = MINUTE_MS - (after - now);
      return {
        allowed,
        limit,
        remaining: Math.floor(free / perRequest + EPSILON),
        resetSeconds: Math.ceil((after - now) / 1000 - EPSILON),
        retryAfterSeconds: Math.max(0, (perRequest - free) / 1000),
      };
    },
  };
}
