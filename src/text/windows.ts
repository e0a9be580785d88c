export interface WindowOptions {
  /** Longest window the model takes, `prefix` and `suffix` included. */
  readonly maxTokens: number;
  /** Tokens from the start of one window to the start of the next; at most `maxTokens` less prefix and suffix. */
  readonly stride: number;
  readonly prefix: readonly number[];
  readonly suffix: readonly number[];
}

/**
 * Cuts `ids` into model inputs that together hold every token. A text that fits gives one window, of any length; a
 * longer one gives full windows only: the last is moved back to end with the text.
 */
export function splitWindows(ids: readonly number[], options: WindowOptions): Int32Array[] {
  const { maxTokens, stride, prefix, suffix } = options;
  const capacity = maxTokens - prefix.length - suffix.length;
  if (!(capacity >= 1)) throw new RangeError(`maxTokens ${maxTokens} leaves no room for text`);
  if (!(stride >= 1 && stride <= capacity)) throw new RangeError(`stride ${stride} is outside 1..${capacity}`);

  const last = ids.length - capacity;
  const windows: Int32Array[] = [];
  for (let start = 0; start < last; start += stride) windows.push(frame(ids, start, start + capacity, prefix, suffix));
  windows.push(frame(ids, Math.max(0, last), ids.length, prefix, suffix));
  return windows;
}

function frame(
  ids: readonly number[],
  start: number,
  end: number,
  prefix: readonly number[],
  suffix: readonly number[],
): Int32Array {
  const window = new Int32Array(prefix.length + end - start + suffix.length);
  window.set(prefix);
  for (let i = start; i < end; i += 1) window[prefix.length + i - start] = ids[i] as number;
  window.set(suffix, prefix.length + end - start);
  return window;
}

/** The maximum per category over the windows of one text. Takes at least one row; all rows have the same length. */
export function mergeWindows(scores: readonly ArrayLike<number>[]): Float32Array {
  const [first, ...rest] = scores;
  if (first === undefined) throw new RangeError('no windows to merge');
  const merged = Float32Array.from(first);
  for (const row of rest) {
    for (let i = 0; i < merged.length; i += 1) merged[i] = Math.max(merged[i] as number, row[i] as number);
  }
  return merged;
}
