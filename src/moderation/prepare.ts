import { type Encoder, encodeWindows, windowCapacity } from '../checkpoint/encode.ts';
import { DuoguardError } from '../errors.ts';
import type { Sequence } from '../inference/engine.ts';
import type { Reading } from '../text/views/readings.ts';
import { readWindow, type WindowText } from './window-text.ts';

/** An item as the model will see it. */
export interface PreparedItem {
  /** Tokens of the normalised text, special tokens not counted. */
  readonly tokens: number;
  /** Windows of the normalised text. */
  readonly windows: number;
  readonly readings: readonly PreparedReading[];
  /** What is scored: the windows of all readings, in their order. */
  readonly sequences: readonly Sequence[];
  /**
   * What one window of a reading says, by their numbers. Only explaining a decision asks for it. May reject as preparing the
   * item may.
   */
  readonly readWindow: (reading: number, window: number, signal: AbortSignal) => WindowText | Promise<WindowText>;
}

/** A reading with at least one window. */
export interface PreparedReading {
  readonly view: Reading['view'];
  readonly windows: readonly Sequence[];
}

/** What is prepared in the thread that asks for it is also read there. */
export interface PreparedHere extends PreparedItem {
  readonly readWindow: (reading: number, window: number) => WindowText;
}

interface TokenizedReading extends Reading, PreparedReading {
  readonly ids: readonly number[];
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
): PreparedHere {
  const { tokenizer, manifest } = encoder;
  const readings: TokenizedReading[] = [];
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
  const readWindowOf = (reading: number, window: number) =>
    readWindow(raw, readings[reading] as TokenizedReading, window, encoder);
  return { tokens, windows, readings, sequences, readWindow: readWindowOf };
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
