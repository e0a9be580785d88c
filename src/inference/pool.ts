import { DuoguardError } from '../errors.ts';
import { type BatchLimits, MAX_PADDING } from './batch.ts';
import { cancellation } from './cancellation.ts';
import type { Engine, EngineObserver, Scored, Sequence } from './engine.ts';
import { PendingRequest } from './pending.ts';
import { createQueue, type QueueLimits, type Waiting } from './queue.ts';
import { type Spawn, startWorkerThread, type WorkerSettings, type WorkerThread } from './worker-thread.ts';

export interface EngineOptions extends WorkerSettings {
  readonly workers: number;
  /** Longest sequence that will be submitted: the model's window. */
  readonly maxSequenceTokens: number;
  readonly queue: QueueLimits;
  readonly observer?: EngineObserver;
  readonly spawn?: Spawn;
}

/** A sequence that was running when its worker failed is run once more. */
const RETRIES = 1;
const RESTART_DELAY_MS = { first: 50, longest: 5_000 };

interface Slot {
  thread: WorkerThread | undefined;
  busy: boolean;
}

/**
 * Starts the workers and resolves when every one has its session. Rejects with `invalid_config` when the longest
 * sequence cannot fit a batch (it would wait for ever), and with what `startWorkerThread` rejects with.
 */
export async function createEngine(options: EngineOptions): Promise<Engine> {
  if (options.maxSequenceTokens > options.maxBatchTokens) {
    throw new DuoguardError('invalid_config', {
      message: `The batch budget of ${options.maxBatchTokens} tokens is smaller than the longest window of ${options.maxSequenceTokens}.`,
      details: { maxBatchTokens: options.maxBatchTokens, maxSequenceTokens: options.maxSequenceTokens },
    });
  }
  const { queue: queueLimits, observer = {}, spawn } = options;
  const queue = createQueue<PendingRequest>(queueLimits);
  const slots: Slot[] = Array.from({ length: options.workers }, () => ({ thread: undefined, busy: false }));
  const accepted = new Set<PendingRequest>();
  const running = new Set<Promise<void>>();
  let closing = false;
  let closed = false;

  async function start(slot: Slot): Promise<void> {
    const thread = await startWorkerThread(options, spawn);
    if (closed) return thread.close();
    slot.thread = thread;
    void thread.exited.then(() => {
      slot.thread = undefined;
      if (!closed) void restart(slot);
    });
  }

  async function restart(slot: Slot): Promise<void> {
    observer.workerRestarted?.();
    for (let wait = RESTART_DELAY_MS.first; !closed; wait = Math.min(2 * wait, RESTART_DELAY_MS.longest)) {
      try {
        await start(slot);
        return pump();
      } catch {
        await new Promise((resolve) => setTimeout(resolve, wait).unref());
      }
    }
  }

  /** Gives every idle worker a batch. Nothing waits for company: batches come of what queued while workers were busy. */
  function pump(): void {
    for (const slot of slots) {
      if (queue.length === 0) return;
      if (slot.thread === undefined || slot.busy) continue;
      const run = runBatch(slot, slot.thread, queue.takeBatch(batchLimits())).finally(() => running.delete(run));
      running.add(run);
    }
  }

  /** A worker takes its share of what waits, or the others would have nothing while it works through everything. */
  function batchLimits(): BatchLimits {
    const share = queue.tokens / slots.length / (1 - MAX_PADDING);
    return { ...options, maxBatchTokens: Math.min(options.maxBatchTokens, share) };
  }

  async function runBatch(slot: Slot, thread: WorkerThread, batch: Waiting<PendingRequest>[]): Promise<void> {
    const now = performance.now();
    for (const entry of batch) entry.owner.begin(now);
    slot.busy = true;
    const outcome = await thread.run(batch.map((entry) => entry.ids)).catch(toDuoguardError);
    if (outcome instanceof DuoguardError) {
      retryOrFail(batch, outcome);
      // Lets the slot lose its thread before it is offered the next batch.
      if (outcome.code === 'worker_crashed') await thread.exited;
    } else {
      for (const [row, entry] of batch.entries()) {
        entry.owner.deliver(entry.index, checkFinite(outcome.scores[row] as Float32Array));
      }
      observer.batch?.({ ...measure(batch), inferenceMs: outcome.inferenceMs });
    }
    slot.busy = false;
    pump();
  }

  function retryOrFail(batch: readonly Waiting<PendingRequest>[], error: DuoguardError): void {
    for (const entry of batch) if (entry.failures >= RETRIES) entry.owner.deliver(entry.index, error);
    queue.putBack(batch.filter((entry) => entry.failures < RETRIES && !entry.owner.settled));
  }

  function submit(sequences: readonly Sequence[], signal: AbortSignal): Promise<Scored> {
    try {
      return accept(sequences, signal).scored;
    } catch (error) {
      return Promise.reject(error);
    }
  }

  function accept(sequences: readonly Sequence[], signal: AbortSignal): PendingRequest {
    if (closing) throw new DuoguardError('shutting_down');
    if (signal.aborted) throw cancellation(signal);
    checkLengths(sequences, options.maxSequenceTokens);
    if (!queue.fits(sequences)) throw new DuoguardError('overloaded', { details: { retryAfterSeconds: 1 } });
    const request = new PendingRequest(sequences.length, signal, {
      aborted: queue.remove,
      settled: (settled) => accepted.delete(settled),
    });
    if (request.settled) return request;
    accepted.add(request);
    queue.add(request, sequences);
    pump();
    return request;
  }

  async function close(): Promise<void> {
    closing = true;
    await Promise.allSettled(Array.from(accepted, ({ scored }) => scored));
    await Promise.allSettled(running);
    closed = true;
    await Promise.all(slots.map((slot) => slot.thread?.close()));
  }

  const starts = await Promise.allSettled(slots.map(start));
  const failure = starts.find((outcome) => outcome.status === 'rejected');
  if (failure) {
    await close();
    throw failure.reason;
  }
  let closingDone: Promise<void> | undefined;
  return {
    submit,
    stats: () => ({
      queuedSequences: queue.length,
      queuedTokens: queue.tokens,
      workersReady: slots.filter((slot) => slot.thread !== undefined).length,
      workersBusy: slots.filter((slot) => slot.busy).length,
    }),
    close: () => {
      closingDone ??= close();
      return closingDone;
    },
  };
}

function toDuoguardError(error: unknown): DuoguardError {
  return error instanceof DuoguardError ? error : new DuoguardError('internal_error', { cause: error });
}

function measure(batch: readonly Waiting<PendingRequest>[]) {
  const longest = Math.max(...batch.map((entry) => entry.tokens));
  return {
    sequences: batch.length,
    tokens: batch.reduce((sum, entry) => sum + entry.tokens, 0),
    paddedTokens: batch.length * longest,
  };
}

/** A model that overflows gives NaN, and NaN is below every threshold: it must not pass as safe. */
function checkFinite(scores: Float32Array): Float32Array | DuoguardError {
  for (let label = 0; label < scores.length; label++) {
    if (!Number.isFinite(scores[label])) {
      return new DuoguardError('inference_failed', { cause: 'the scores are not finite' });
    }
  }
  return scores;
}

function checkLengths(sequences: readonly Sequence[], longest: number): void {
  const wrong = sequences.find((ids) => ids.length === 0 || ids.length > longest);
  if (wrong) throw new RangeError(`a sequence has ${wrong.length} tokens; 1 to ${longest} are possible`);
}
