/**
 * What the main thread and a worker thread say to each other, and the memory they share.
 *
 * A worker has one batch at a time. The main thread writes it into the shared buffer and posts `run`; the worker writes
 * the probabilities back and posts `scored`. The two messages order the accesses, so that nothing is copied by
 * structured clone and nothing is allocated per batch.
 */

export interface WorkerStart {
  /** The bytes of the ONNX model, read and verified once for all workers. */
  readonly model: SharedArrayBuffer;
  readonly provider: string;
  readonly intraOpThreads: number;
  readonly batch: SharedArrayBuffer;
  readonly maxBatchTokens: number;
  readonly maxBatchSequences: number;
}

export type ToWorker =
  | { readonly type: 'run'; readonly sequences: number; readonly width: number }
  | { readonly type: 'close' };

export type FromWorker =
  | { readonly type: 'ready' }
  | {
      readonly type: 'unusable';
      readonly code: 'checkpoint_model_invalid' | 'checkpoint_model_signature';
      readonly reason: string;
    }
  | { readonly type: 'scored'; readonly inferenceMs: number }
  | { readonly type: 'failed'; readonly reason: string };

/** Shapes: S = sequences of the batch, W = width of the batch (longest sequence), S x W <= maxBatchTokens. */
export interface BatchMemory {
  /** [S] tokens that are not padding. */
  readonly lengths: Int32Array;
  /** [S, W] row by row. */
  readonly ids: Int32Array;
  /** [S, labels] */
  readonly probabilities: Float32Array;
}

export function batchMemoryBytes(maxBatchTokens: number, maxBatchSequences: number, labels: number): number {
  return 4 * (maxBatchSequences + maxBatchTokens + maxBatchSequences * labels);
}

export function viewBatchMemory(
  memory: SharedArrayBuffer,
  maxBatchTokens: number,
  maxBatchSequences: number,
  labels: number,
): BatchMemory {
  const idsAt = 4 * maxBatchSequences;
  const probabilitiesAt = idsAt + 4 * maxBatchTokens;
  return {
    lengths: new Int32Array(memory, 0, maxBatchSequences),
    ids: new Int32Array(memory, idsAt, maxBatchTokens),
    probabilities: new Float32Array(memory, probabilitiesAt, maxBatchSequences * labels),
  };
}
