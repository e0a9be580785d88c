import { DuoguardError } from '../../errors.ts';
import type { ObjectAnswer, ObjectRequest, ObjectStore } from './object-store.ts';

export interface ReadLimits {
  /** Longest wait for an answer, and then for each next piece of its body. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/**
 * Asks for an object, hands the answer to `use`, and gives up when the store falls silent. A store that cannot be asked
 * or breaks off is `checkpoint_store_unreachable`; besides, this throws what `use` throws and the reason of the signal.
 */
export async function readObject<T>(
  store: ObjectStore,
  key: string,
  request: Omit<ObjectRequest, 'signal'>,
  { timeoutMs, signal }: ReadLimits,
  use: (answer: ObjectAnswer) => Promise<T>,
): Promise<T> {
  signal.throwIfAborted();
  // Not AbortSignal.any, which some versions of Node remember for as long as the longest living of its sources.
  const ending = new AbortController();
  const endToo = () => ending.abort(signal.reason);
  signal.addEventListener('abort', endToo);
  const timer = setTimeout(() => ending.abort(unreachable(key, `sent nothing for ${timeoutMs} ms`)), timeoutMs);
  try {
    const answer = await store.get(key, { ...request, signal: ending.signal });
    timer.refresh();
    return await use(answer.kind === 'found' ? { ...answer, body: watched(key, answer.body, timer) } : answer);
  } catch (error) {
    throw ending.signal.aborted ? ending.signal.reason : error;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', endToo);
    // Frees the connection of a body that was not read to its end.
    ending.abort();
  }
}

async function* watched(
  key: string,
  body: AsyncIterable<Uint8Array>,
  timer: NodeJS.Timeout,
): AsyncGenerator<Uint8Array> {
  try {
    for await (const chunk of body) {
      timer.refresh();
      yield chunk;
    }
  } catch (error) {
    throw unreachable(key, 'broke off', error);
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
