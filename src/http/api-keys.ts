import { createHash, timingSafeEqual } from 'node:crypto';
import { DuoguardError } from '../errors.ts';
import type { ReceivedHeaders } from './received.ts';

/** What a key may do. None includes another. */
export const SCOPES = ['classify', 'override', 'feedback', 'admin', 'metrics'] as const;
export type Scope = (typeof SCOPES)[number];

export interface ApiKey {
  /** SHA-256 of the key; the key itself is not kept. */
  readonly digest: Buffer;
  readonly scopes: ReadonlySet<Scope>;
  /** Names the key where the key must not be shown: the first 8 hex digits of its digest. */
  readonly id: string;
}

/**
 * The key that the request brings, or undefined when no keys are configured. Throws `unauthorized` for a request without
 * a known key, and `forbidden` when its key has none of the scopes. Without keys nobody may administer, and everything else
 * is open.
 */
export type Authorize = (headers: ReceivedHeaders, ...anyOf: readonly [Scope, ...Scope[]]) => ApiKey | undefined;

/** Of a key for which none are written. */
const DEFAULT_SCOPES = 'classify+override';

/** @param currentKeys asked on every request, so that keys can change while the server runs. */
export function createAuthorize(currentKeys: () => readonly ApiKey[]): Authorize {
  return (headers, ...anyOf) => {
    const keys = currentKeys();
    if (keys.length === 0) {
      if (!anyOf.includes('admin')) return undefined;
      throw new DuoguardError('forbidden', {
        message: 'This needs an API key with the scope admin, and the server has no keys configured.',
      });
    }
    const known = findKey(keys, headers);
    if (known === undefined) throw new DuoguardError('unauthorized');
    if (anyOf.some((scope) => known.scopes.has(scope))) return known;
    throw new DuoguardError('forbidden', { message: `The API key does not have the scope ${anyOf.join(' or ')}.` });
  };
}

/**
 * The key that the request brings, if it is one of `keys`. Comparing digests takes the same time wherever they differ,
 * and every key is compared, so that timing tells neither how much of a key is right nor which key it is.
 */
export function findKey(keys: readonly ApiKey[], headers: ReceivedHeaders): ApiKey | undefined {
  const given = presentedKey(headers);
  if (given === null) return undefined;
  const digest = sha256(given);
  let known: ApiKey | undefined;
  for (const key of keys) if (timingSafeEqual(key.digest, digest)) known = key;
  return known;
}

function presentedKey(headers: ReceivedHeaders): string | null {
  const bearer = /^Bearer +(\S+)$/i.exec(headers.get('authorization') ?? '');
  return bearer?.[1] ?? headers.get('x-api-key');
}

const WITH_SCOPES = new RegExp(`^((?:${SCOPES.join('|')})(?:\\+(?:${SCOPES.join('|')}))*)=(.+)$`);

/**
 * @param texts `KEY`, which may classify and override policies, or `admin+metrics=KEY` with the scopes it names; KEY is in clear, or `sha256:` and
 * 64 hex digits. A key that is given twice has the scopes of both.
 * @param source names where they are from. Throws `invalid_config` for a digest that is not one.
 */
export function parseApiKeys(texts: readonly string[], source = 'api_keys'): ApiKey[] {
  const keys = new Map<string, ApiKey>();
  for (const text of texts) {
    const [, listed = DEFAULT_SCOPES, key = text] = WITH_SCOPES.exec(text) ?? [];
    const digest = toDigest(key, source);
    const hex = digest.toString('hex');
    const scopes = new Set([...(keys.get(hex)?.scopes ?? []), ...(listed.split('+') as Scope[])]);
    keys.set(hex, { digest, scopes, id: hex.slice(0, 8) });
  }
  return [...keys.values()];
}

function toDigest(key: string, source: string): Buffer {
  if (!key.startsWith('sha256:')) return sha256(key);
  const hex = key.slice('sha256:'.length);
  if (!/^[0-9a-f]{64}$/i.test(hex)) {
    throw new DuoguardError('invalid_config', { message: `${source}: after sha256: come 64 hex digits.` });
  }
  return Buffer.from(hex, 'hex');
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
