import { DuoguardError } from '../../errors.ts';
import { parseContentRange } from './content-range.ts';
import type { ObjectAnswer, ObjectRequest, ObjectStore } from './object-store.ts';

export type Redirects = 'none' | 'same-origin' | 'any';

export interface HttpStoreOptions {
  /** Of the directory; its query (a signature, say) is sent with every request. May hold a user and a password. */
  readonly url: string;
  /** Sent as `Authorization: Bearer`, to the store's own origin only. */
  readonly token?: string | undefined;
  readonly redirects: Redirects;
}

const MOST_REDIRECTS = 5;

/** Any server of static files: conditional and range requests are used where it understands them. */
export function createHttpStore({ url, token, redirects }: HttpStoreOptions): ObjectStore {
  const base = new URL(url);
  const authorization = token === undefined ? basicOf(base) : `Bearer ${token}`;
  base.username = '';
  base.password = '';

  async function get(key: string, request: ObjectRequest): Promise<ObjectAnswer> {
    const response = await follow(key, headersFor(request), request.signal);
    const { status, headers } = response;
    if (status === 200 || status === 206) {
      if (response.body === null) throw unreachable(key, 'answers without a body');
      const offset = status === 206 ? parseContentRange(headers.get('content-range')) : 0;
      if (offset === undefined || (offset !== 0 && offset !== request.resume?.offset)) {
        await discard(response);
        throw unreachable(key, 'answers with another range than was asked for');
      }
      return { kind: 'found', etag: headers.get('etag') ?? undefined, offset, body: response.body };
    }
    await discard(response);
    if (status === 304) return { kind: 'unchanged' };
    if (status === 404 || status === 410) return { kind: 'missing' };
    if (status === 416 && request.resume !== undefined) return get(key, { signal: request.signal });
    throw unreachable(key, `answers ${status}`, { retryAfterSeconds: secondsOf(headers.get('retry-after')) });
  }

  async function follow(key: string, headers: Record<string, string>, signal: AbortSignal): Promise<Response> {
    let target = addressOf(base, key);
    for (let hops = 0; hops <= MOST_REDIRECTS; hops++) {
      const own = target.origin === base.origin && authorization !== undefined ? { authorization } : {};
      const response = await fetch(target, { headers: { ...headers, ...own }, redirect: 'manual', signal }).catch(
        (cause) => {
          throw signal.aborted ? signal.reason : unreachable(key, 'cannot be reached', {}, cause);
        },
      );
      const location = response.headers.get('location');
      if (response.status < 300 || response.status > 399 || response.status === 304 || location === null) {
        return response;
      }
      await discard(response);
      target = redirected(target, location);
    }
    throw refusedRedirect('leads in a circle');
  }

  function redirected(from: URL, location: string): URL {
    const to = URL.canParse(location, from.href) ? new URL(location, from) : undefined;
    if (to === undefined || !/^https?:$/.test(to.protocol) || to.username !== '' || to.password !== '') {
      throw refusedRedirect('names no usable address');
    }
    if (redirects === 'none') throw refusedRedirect('is not allowed by store_redirects');
    if (redirects === 'same-origin' && to.origin !== base.origin) {
      throw refusedRedirect('to another origin is not allowed by store_redirects');
    }
    if (from.protocol === 'https:' && to.protocol === 'http:') throw refusedRedirect('leaves https');
    return to;
  }

  return { address: `${base.origin}${base.pathname}`, get, close() {} };
}

function headersFor({ known, resume }: ObjectRequest): Record<string, string> {
  // Compressed, the bytes that a range counts would be others.
  const headers: Record<string, string> = { 'accept-encoding': 'identity' };
  if (known !== undefined) headers['if-none-match'] = known;
  if (resume === undefined) return headers;
  headers['range'] = `bytes=${resume.offset}-`;
  // A weak tag may not stand in If-Range; the hash tells in the end whether the two parts belong together.
  if (resume.etag !== undefined && !resume.etag.startsWith('W/')) headers['if-range'] = resume.etag;
  return headers;
}

function addressOf(base: URL, key: string): URL {
  const address = new URL(base);
  const encoded = key.split('/').map(encodeURIComponent).join('/');
  address.pathname = `${base.pathname.replace(/\/+$/, '')}/${encoded}`;
  return address;
}

function basicOf({ username, password }: URL): string | undefined {
  if (username === '' && password === '') return undefined;
  const pair = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return `Basic ${Buffer.from(pair).toString('base64')}`;
}

/** Frees the connection. */
async function discard(response: Response): Promise<void> {
  await response.body?.cancel().catch(() => {});
}

function secondsOf(header: string | null): number | undefined {
  return header !== null && /^\d{1,6}$/.test(header) ? Number(header) : undefined;
}

function unreachable(key: string, what: string, details: Record<string, unknown> = {}, cause?: unknown): DuoguardError {
  return new DuoguardError('checkpoint_store_unreachable', {
    message: `The checkpoint store ${what}, asked for ${key}.`,
    details,
    cause,
  });
}

function refusedRedirect(why: string): DuoguardError {
  return new DuoguardError('checkpoint_store_invalid', {
    message: `A redirect of the checkpoint store ${why}.`,
  });
}
