import { type Encoder, encodeWindows, windowCapacity } from '../checkpoint/encode.ts';
import { DuoguardError } from '../errors.ts';
import type { Sequence } from '../inference/engine.ts';
import type { Reading } from '../text/views/readings.ts';

/** An item as the model will see it. */
export interface PreparedItem {
  /** Tokens of the normalised text, special tokens not counted. */
  readonly tokens: number;
  /** Windows of the normalised text. */
  readonly windows: number;
  /** What offsets of spans count from. */
  readonly raw: string;
  readonly readings: readonly PreparedReading[];
  /** What is scored: the windows of all readings, in their order. */
  readonly sequences: readonly Sequence[];
}

/** A reading with at least one window. */
export interface PreparedReading extends Reading {
  readonly ids: readonly number[];
  readonly windows: readonly Sequence[];
}

/**
 * Tokenises the readings of one item. A reading is scored when it has tokens, and others than those before it: without
 * any there is nothing to judge. A text of invisible characters alone is thus judged by its raw reading.
 * Throws `input_too_long` when `longInput` forbids windows.
 *
 * @param raw what the readings were made of, as `renderItem` gives it.
 */
export function prepareItem(
  raw: string,
  read: readonly Reading[],
  encoder: Encoder,
  longInput: 'window' | 'reject',
): PreparedItem {
  const { tokenizer, manifest } = encoder;
  const readings: PreparedReading[] = [];
  let tokens = 0;
  let windows = 0;
  for (const [index, { view, text }] of read.entries()) {
    const ids = tokenizer.encode(text.text);
    if (index === 0) tokens = ids.length;
    if (index === 0 && longInput === 'reject') requireFits(tokens, windowCapacity(manifest, tokenizer));
    if (ids.length === 0 || readings.some((other) => sameIds(other.ids, ids))) continue;
    readings.push({ view, text, ids, windows: encodeWindows(encoder, ids) });
    if (index === 0) windows = readings[0]?.windows.length ?? 0;
  }
  const sequences =
    readings.length === 1 ? (readings[0] as PreparedReading).windows : readings.flatMap((r) => r.windows);
  return { tokens, windows, raw, readings, sequences };
}

function requireFits(tokens: number, capacity: number): void {
  if (tokens <= capacity) return;
  throw new DuoguardError('input_too_long', {
    message: `The text has ${tokens} tokens; the model takes ${capacity}, and the request asks not to window it.`,
    details: { tokens, maxTokens: capacity },
  });
}

function sameIds(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((id, index) => id === b[index]);
}
