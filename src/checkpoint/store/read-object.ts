import { DuoguardError } from '../../errors.ts';
import type { ObjectAnswer, ObjectRequest, ObjectStore } from './object-store.ts';

export interface ReadLimits {
  /** Longest wait for an answer, and then for each next piece of its body. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/**
 * Asks for an object, hands a found one to `use` and gives up when the store falls silent. Whatever goes wrong on the
 * way is `checkpoint_store_unreachable`, except what `use` throws as a `DuoguardError` and the reason of the signal.
 */
export async function readObject<T>(
  store: ObjectStore,
  key: string,
  request: Omit<ObjectRequest, 'signal'>,
  { timeoutMs, signal }: ReadLimits,
  use: (answer: ObjectAnswer) => Promise<T>,
): Promise<T> {
  const silence = new AbortController();
  const giveUp = () => silence.abort(unreachable(key, `sent nothing for ${timeoutMs} ms`));
  const timer = setTimeout(giveUp, timeoutMs);
  const either = AbortSignal.any([signal, silence.signal]);
  try {
    const answer = await store.get(key, { ...request, signal: either });
    timer.refresh();
    return await use(answer.kind === 'found' ? { ...answer, body: watched(answer.body, timer) } : answer);
  } catch (error) {
    if (either.aborted) throw either.reason;
    throw error instanceof DuoguardError ? error : unreachable(key, 'broke off', error);
  } finally {
    clearTimeout(timer);
    // Frees the connection of a body that was not read to its end.
    silence.abort();
  }
}

async function* watched(body: AsyncIterable<Uint8Array>, timer: NodeJS.Timeout): AsyncGenerator<Uint8Array> {
  for await (const chunk of body) {
    timer.refresh();
    yield chunk;
  }
}

/** The whole of a small object. Throws `checkpoint_store_invalid` when it has more than `most` bytes. */
export async function collect(key: string, body: AsyncIterable<Uint8Array>, most: number): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    bytes += chunk.length;
    if (bytes > most) {
      throw new DuoguardError('checkpoint_store_invalid', { message: `${key} has more than ${most} bytes.` });
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function unreachable(key: string, what: string, cause?: unknown): DuoguardError {
  return new DuoguardError('checkpoint_store_unreachable', {
    message: `The checkpoint store ${what}, asked for ${key}.`,
    cause,
  });
}
