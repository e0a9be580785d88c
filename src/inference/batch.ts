/** What batching needs to know of a waiting sequence. */
export interface Batchable {
  readonly tokens: number;
  /** How often it was taken back from a worker that failed. Such a sequence runs alone, so that it harms no other. */
  readonly failures: number;
}

export interface BatchLimits {
  /** Bound on sequences x longest sequence: what the arena of the runtime must hold. */
  readonly maxBatchTokens: number;
  readonly maxBatchSequences: number;
}

/** Largest share of padding in a batch. Above it two small batches are quicker than one padded batch on a CPU. */
export const MAX_PADDING = 0.25;

/**
 * Chooses the next batch from the waiting sequences, most urgent first: the head and, in order, every sequence that
 * keeps the padded size within budget and the padding under `MAX_PADDING`. The head thereby picks the length bucket, and
 * as it is taken whatever its size, no length waits for ever.
 *
 * Returns ascending indices into `waiting`; empty only when `waiting` is.
 */
export function formBatch(waiting: readonly Batchable[], limits: BatchLimits): number[] {
  const head = waiting[0];
  if (head === undefined) return [];
  const chosen = [0];
  if (head.failures > 0) return chosen;
  let longest = head.tokens;
  let tokens = head.tokens;
  for (let index = 1; index < waiting.length && chosen.length < limits.maxBatchSequences; index++) {
    const candidate = waiting[index] as Batchable;
    if (candidate.failures > 0) continue;
    const width = Math.max(longest, candidate.tokens);
    const padded = (chosen.length + 1) * width;
    if (padded > limits.maxBatchTokens) continue;
    if (padded - tokens - candidate.tokens > MAX_PADDING * padded) continue;
    chosen.push(index);
    longest = width;
    tokens += candidate.tokens;
  }
  return chosen;
}
