import type { Sequence } from '../inference/engine.ts';
import type { TextTokenizer } from '../text/tokenizer.ts';
import { splitWindows } from '../text/windows.ts';
import type { Manifest } from './manifest.ts';

type Limits = Pick<Manifest, 'max_tokens'>;
export type Encoder = { readonly manifest: Limits; readonly tokenizer: TextTokenizer };

/** Neighbouring windows share a quarter, so that what spans a border is seen whole by one of them. */
const STRIDE = 0.75;

/** Tokens of text that one window holds. */
export function windowCapacity(manifest: Limits, tokenizer: TextTokenizer): number {
  return manifest.max_tokens - tokenizer.prefix.length - tokenizer.suffix.length;
}

/** Model inputs for the token ids of one text. */
export function encodeWindows({ manifest, tokenizer }: Encoder, ids: readonly number[]): Sequence[] {
  return splitWindows(ids, {
    maxTokens: manifest.max_tokens,
    stride: strideOf(windowCapacity(manifest, tokenizer)),
    prefix: tokenizer.prefix,
    suffix: tokenizer.suffix,
  });
}

/** Which of the `count` token ids of a text its window number `window` (from 0) holds. */
export function windowTokens({ manifest, tokenizer }: Encoder, count: number, window: number) {
  const capacity = windowCapacity(manifest, tokenizer);
  const start = Math.max(0, Math.min(window * strideOf(capacity), count - capacity));
  return { start, end: Math.min(count, start + capacity) };
}

function strideOf(capacity: number): number {
  return Math.max(1, Math.floor(STRIDE * capacity));
}
