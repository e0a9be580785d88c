import type { Answer } from './answer.ts';
import type { Received } from './received.ts';

/** What pages of other origins may do in a browser. */
export interface Cors {
  /** For every answer to this request, refusals too, so that the page can read them. */
  headersFor(request: Received): Record<string, string>;
  /** The answer to a browser that asks before it sends. Undefined when it is not asked, or not by an allowed origin. */
  preflight(request: Received, methods: readonly string[]): Answer | undefined;
}

const ALLOWED_HEADERS = 'authorization, content-type, x-api-key, x-request-id, x-request-deadline-ms';
const EXPOSED_HEADERS =
  'x-request-id, x-model-version, x-total-time, retry-after, ratelimit-limit, ratelimit-remaining, ratelimit-reset';
const PREFLIGHT_SECONDS = '600';

/**
 * Cookies are never used, so credentials are never allowed: a page must have been given a key.
 *
 * @param origins as browsers send them, for example `https://app.example`; `*` for any. None: the headers are never sent,
 * and browsers keep other pages out.
 */
export function createCors(origins: readonly string[]): Cors {
  if (origins.length === 0) return { headersFor: () => ({}), preflight: () => undefined };
  const allowed = new Set(origins);
  const any = allowed.has('*');

  function headersFor(request: Received): Record<string, string> {
    const origin = request.headers.get('origin');
    if (any) return { 'access-control-allow-origin': '*', 'access-control-expose-headers': EXPOSED_HEADERS };
    if (origin === null || !allowed.has(origin)) return { vary: 'origin' };
    return { 'access-control-allow-origin': origin, 'access-control-expose-headers': EXPOSED_HEADERS, vary: 'origin' };
  }

  return {
    headersFor,
    preflight(request, methods) {
      const asked = request.method === 'OPTIONS' && request.headers.has('access-control-request-method');
      if (!asked || !('access-control-allow-origin' in headersFor(request))) return undefined;
      return {
        status: 204,
        headers: {
          'access-control-allow-methods': methods.join(', '),
          'access-control-allow-headers': ALLOWED_HEADERS,
          'access-control-max-age': PREFLIGHT_SECONDS,
        },
        body: null,
      };
    },
  };
}
