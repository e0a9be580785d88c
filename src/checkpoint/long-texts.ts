import type { Sequence } from '../inference/engine.ts';
import type { PolicyRules } from '../policy/rules.ts';
import type { Reading } from '../text/views/readings.ts';

/** Preparing texts so long that the thread that answers requests would be held up by them. */
export interface LongTexts {
  /** Whether the text is so long. */
  takes(raw: string): boolean;
  /**
   * In order, one at a time. Rejects with what preparing it throws, `overloaded` when too much waits, `worker_crashed`,
   * `shutting_down`, or, once `signal` fires, its reason: nobody waits for the text then, and it is not begun if it has
   * not been.
   */
  prepare(order: LongTextOrder, signal: AbortSignal): Promise<PreparedLongText>;
  /** What one window of a text says that was prepared by the same order. Waits and rejects as `prepare` does. */
  readWindow(order: LongTextOrder, place: WindowPlace, signal: AbortSignal): Promise<LongWindowText>;
  close(): Promise<void>;
}

export interface LongTextOrder {
  readonly raw: string;
  readonly phrases: PolicyRules['phrases'];
  readonly longInput: 'window' | 'reject';
}

/** Numbers of a reading and of one of its windows. */
export interface WindowPlace {
  readonly reading: number;
  readonly window: number;
}

/** As the moderation half reads the window of any text: offsets into the raw text in code points, by code unit. */
export interface LongWindowText {
  readonly text: string;
  readonly starts: Uint32Array<ArrayBuffer>;
  readonly ends: Uint32Array<ArrayBuffer>;
}

/** As the moderation half prepares any text, without what only explaining it needs. */
export interface PreparedLongText {
  readonly tokens: number;
  readonly windows: number;
  readonly denied: number | undefined;
  readonly readings: readonly { readonly view: Reading['view']; readonly windows: readonly Sequence[] }[];
}

/** What of a checkpoint another thread needs to tokenise for it. */
export interface EncoderFiles {
  /** Bytes of `tokenizer.json`. */
  readonly tokenizer: SharedArrayBuffer;
  readonly maxTokens: number;
}
