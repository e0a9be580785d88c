import { windowCapacity } from '../checkpoint/encode.ts';
import type { CheckpointRegistry } from '../checkpoint/registry.ts';

export interface TokenCounter {
  count(text: string): number;
  /** Tokens of text that one window of the model holds. */
  readonly capacity: number;
}

/**
 * Counts with the tokenizer of the checkpoint that serves now. Counting decides only where a stream is cut, so it holds
 * no lease: a checkpoint that was swapped meanwhile still counts well enough. Throws `not_ready` without a checkpoint.
 */
export function countingTokens(registry: Pick<CheckpointRegistry, 'lease'>): TokenCounter {
  const { checkpoint, release } = registry.lease();
  release();
  const { tokenizer, manifest } = checkpoint;
  return { count: (text) => tokenizer.encode(text).length, capacity: windowCapacity(manifest, tokenizer) };
}
