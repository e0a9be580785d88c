import type { Checkpoint } from '../checkpoint/checkpoint.ts';
import { encodeWindows, windowCapacity } from '../checkpoint/encode.ts';
import { DuoguardError } from '../errors.ts';
import type { Sequence } from '../inference/engine.ts';
import { renderItem } from '../text/render.ts';
import { type Reading, readText } from '../text/views/readings.ts';
import type { ClassifyItem } from './contract.ts';

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
 * Renders, reads and tokenises one item. A reading is scored when it has tokens, and others than those before it: without
 * any there is nothing to judge. A text of invisible characters alone is thus judged by its raw reading.
 * Throws `input_too_long` when `longInput` forbids windows.
 */
export function prepareItem(
  item: ClassifyItem,
  checkpoint: Checkpoint,
  longInput: 'window' | 'reject',
  read: (raw: string) => Reading[] = readText,
): PreparedItem {
  const raw = renderItem(item);
  const encoded = read(raw).map((reading) => ({ ...reading, ids: checkpoint.tokenizer.encode(reading.text.text) }));
  const tokens = encoded[0]?.ids.length ?? 0;
  const capacity = windowCapacity(checkpoint.manifest, checkpoint.tokenizer);
  if (longInput === 'reject' && tokens > capacity) {
    throw new DuoguardError('input_too_long', {
      message: `The text has ${tokens} tokens; the model takes ${capacity}, and the request asks not to window it.`,
      details: { tokens, maxTokens: capacity },
    });
  }
  const readings = encoded
    .filter(({ ids }, index) => ids.length > 0 && !encoded.slice(0, index).some((other) => sameIds(other.ids, ids)))
    .map(({ view, text, ids }) => ({ view, text, ids, windows: encodeWindows(checkpoint, ids) }));
  return {
    tokens,
    windows: tokens === 0 ? 0 : (readings[0]?.windows.length ?? 0),
    raw,
    readings,
    sequences: readings.flatMap(({ windows }) => windows),
  };
}

function sameIds(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((id, index) => id === b[index]);
}
