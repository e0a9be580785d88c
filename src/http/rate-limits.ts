import { DuoguardError } from '../errors.ts';
import type { ApiKey } from './api-keys.ts';
import { clientAddress } from './client-address.ts';
import { createRateLimiter, type Rate } from './rate-limit.ts';
import type { Received, ReceivedHeaders } from './received.ts';

export type RateLimitKind = 'key' | 'address';

/** What is counted of a request, and where its headers are put. */
export interface RatedRequest {
  readonly request: Received;
  readonly remoteAddress: string | undefined;
  readonly answerHeaders: Record<string, string>;
}

/**
 * Counts a request, refused ones too, before anything else happens: keys cannot be tried at will. Throws `rate_limited`.
 * Every answer says in RateLimit headers how much is left, of the limit that is nearer.
 */
export type CountRequest = (request: RatedRequest) => void;

export interface RateLimitOptions {
  /** Requests in a minute; 0 for no limit. */
  readonly perKey: number;
  readonly perAddress: number;
  readonly trustedProxies: number;
  /** Undefined for a request without a known key: only its address is counted. */
  readonly findKey: (headers: ReceivedHeaders) => ApiKey | undefined;
  readonly onLimited: (by: RateLimitKind) => void;
  /** Milliseconds, for tests. */
  readonly clock?: () => number;
}

export function createRateLimits(options: RateLimitOptions): CountRequest {
  const { findKey, onLimited, clock = () => performance.now(), ...limits } = options;
  const keys = limits.perKey === 0 ? undefined : createRateLimiter(limits.perKey);
  const addresses = limits.perAddress === 0 ? undefined : createRateLimiter(limits.perAddress);

  function admit(answerHeaders: Record<string, string>, rate: Rate, by: RateLimitKind): void {
    describe(answerHeaders, rate);
    if (rate.allowed) return;
    onLimited(by);
    throw new DuoguardError('rate_limited', {
      message: `More than ${rate.limit} requests in a minute from this ${by}.`,
      details: { retryAfterSeconds: rate.retryAfterSeconds },
    });
  }

  return ({ request, remoteAddress, answerHeaders }) => {
    const now = clock();
    if (addresses !== undefined) {
      const address = clientAddress(remoteAddress, request.headers, limits.trustedProxies);
      admit(answerHeaders, addresses.take(address, now), 'address');
    }
    const key = keys === undefined ? undefined : findKey(request.headers);
    if (keys !== undefined && key !== undefined) admit(answerHeaders, keys.take(key.id, now), 'key');
  };
}

/** The headers of draft-ietf-httpapi-ratelimit-headers-06, which clients know. */
function describe(headers: Record<string, string>, { allowed, limit, remaining, resetSeconds }: Rate): void {
  const other = headers['ratelimit-remaining'];
  if (allowed && other !== undefined && Number(other) <= remaining) return;
  headers['ratelimit-limit'] = String(limit);
  headers['ratelimit-remaining'] = String(remaining);
  headers['ratelimit-reset'] = String(resetSeconds);
}
