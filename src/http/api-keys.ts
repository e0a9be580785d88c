import { createHash, timingSafeEqual } from 'node:crypto';
import { DuoguardError } from '../errors.ts';

/** Throws `unauthorized` when keys are configured and the request brings none of them. */
export type Authorize = (headers: Headers) => void;

/**
 * Only digests are kept. Comparing digests takes the same time wherever they differ, and every key is compared on
 * every request, so that timing tells neither how much of a key is right nor which key it is.
 *
 * @param keys in clear, or `sha256:` and 64 hex digits. Throws `invalid_config` for a digest that is not one.
 */
export function createAuthorize(keys: readonly string[]): Authorize {
  if (keys.length === 0) return () => {};
  const digests = keys.map(toDigest);
  return (headers) => {
    const given = presentedKey(headers);
    if (given === null) throw new DuoguardError('unauthorized');
    const digest = sha256(given);
    let known = false;
    for (const candidate of digests) known = timingSafeEqual(candidate, digest) || known;
    if (!known) throw new DuoguardError('unauthorized');
  };
}

function presentedKey(headers: Headers): string | null {
  const bearer = /^Bearer +(\S+)$/i.exec(headers.get('authorization') ?? '');
  return bearer?.[1] ?? headers.get('x-api-key');
}

function toDigest(key: string): Buffer {
  if (!key.startsWith('sha256:')) return sha256(key);
  const digest = Buffer.from(key.slice('sha256:'.length), 'hex');
  if (digest.length !== 32) {
    throw new DuoguardError('invalid_config', { message: 'api_keys: after sha256: come 64 hex digits.' });
  }
  return digest;
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
