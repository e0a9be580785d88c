import type { Classifier, ItemVerdict } from '../../src/moderation/contract.ts';

/** Enough to fill a batch, and few enough that progress is seen. */
const CHUNK = 32;

export interface ScoreOptions {
  /** Requests in flight. More than the workers, so that batches can be made of texts of similar length. */
  readonly concurrency: number;
  readonly onProgress?: (done: number) => void;
}

/** Judges texts as the server does, in order. Rejects with the first failure, naming the text's number from 1. */
export async function scoreTexts(
  { classify }: Classifier,
  texts: readonly string[],
  { concurrency, onProgress }: ScoreOptions,
): Promise<ItemVerdict[]> {
  const verdicts: ItemVerdict[] = new Array(texts.length);
  const abort = new AbortController();
  let next = 0;
  let done = 0;

  async function takeChunks(): Promise<void> {
    while (next < texts.length) {
      const start = next;
      next += CHUNK;
      const items = texts.slice(start, start + CHUNK);
      const { results } = await classify({ items, longInput: 'window', signal: abort.signal });
      for (const result of results) {
        if ('error' in result) throw new Error(`text ${start + result.index + 1}: ${result.error.message}`);
        verdicts[start + result.index] = result;
      }
      done += items.length;
      onProgress?.(done);
    }
  }

  try {
    await Promise.all(Array.from({ length: concurrency }, takeChunks));
  } finally {
    abort.abort();
  }
  return verdicts;
}
