import type { LongTextOrder, PreparedLongText, WindowPlace } from '../checkpoint/long-texts.ts';
import type { DuoguardError, ErrorCode } from '../errors.ts';
import type { Sequence } from '../inference/engine.ts';
import type { WindowText } from './window-text.ts';

/** What the thread is asked: to prepare a text, or, with a `place`, to read one window of it. */
export interface LongTextRequest extends LongTextOrder {
  readonly place?: WindowPlace;
}

export type LongTextReply =
  | { readonly type: 'prepared'; readonly text: PackedLongText }
  | { readonly type: 'window'; readonly text: WindowText }
  | {
      readonly type: 'refused';
      readonly code: ErrorCode;
      readonly message: string;
      readonly details: DuoguardError['details'];
    }
  /** What nobody foresaw. */
  | { readonly type: 'failed'; readonly error: unknown };

export interface PackedLongText extends Omit<PreparedLongText, 'readings'> {
  readonly readings: readonly {
    readonly view: PreparedLongText['readings'][number]['view'];
    /** The windows one behind the other: thousands of buffers would take longer to hand over than one. */
    readonly ids: Int32Array<ArrayBuffer>;
    readonly lengths: readonly number[];
  }[];
}

export function packWindows(windows: readonly Sequence[]) {
  const lengths = windows.map((window) => window.length);
  const ids = new Int32Array(lengths.reduce((sum, length) => sum + length, 0));
  let written = 0;
  for (const window of windows) {
    ids.set(window, written);
    written += window.length;
  }
  return { ids, lengths };
}

export function unpackWindows({
  ids,
  lengths,
}: Pick<PackedLongText['readings'][number], 'ids' | 'lengths'>): Sequence[] {
  let read = 0;
  return lengths.map((length) => {
    read += length;
    return ids.subarray(read - length, read);
  });
}
