/**
 * For every answer. Answers are data: nothing in them may be run, framed, sniffed as another type, or kept by a cache
 * that others share. A route that serves a page replaces the policy by its own.
 */
export const SECURITY_HEADERS: Readonly<Record<string, string>> = {
  'x-content-type-options': 'nosniff',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'referrer-policy': 'no-referrer',
  'cache-control': 'no-store',
};
