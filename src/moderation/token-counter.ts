import type { Checkpoint } from '../checkpoint/checkpoint.ts';
import { windowCapacity } from '../checkpoint/encode.ts';

export interface TokenCounter {
  count(text: string): number;
  /** Tokens of text that one window of the model holds. */
  readonly capacity: number;
}

export function countingTokens({ manifest, tokenizer }: Pick<Checkpoint, 'manifest' | 'tokenizer'>): TokenCounter {
  return { count: (text) => tokenizer.encode(text).length, capacity: windowCapacity(manifest, tokenizer) };
}
