import { DuoguardError } from '../../errors.ts';
import { createHttpStore, type Redirects } from './http-store.ts';
import type { ObjectStore } from './object-store.ts';
import { createS3Store } from './s3-store.ts';

export interface StoreOptions {
  readonly url: string;
  readonly token?: string | undefined;
  readonly s3Endpoint?: string | undefined;
  readonly redirects: Redirects;
}

/** Throws `invalid_config`. */
export async function openStore({ url, token, s3Endpoint, redirects }: StoreOptions): Promise<ObjectStore> {
  // The address may hold a password, so the error does not repeat it.
  if (!URL.canParse(url)) throw new DuoguardError('invalid_config', { message: 'store_url: is no address.' });
  return url.startsWith('s3:')
    ? await createS3Store({ url, endpoint: s3Endpoint })
    : createHttpStore({ url, token, redirects });
}
