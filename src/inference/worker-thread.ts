import { Worker } from 'node:worker_threads';
import { DuoguardError } from '../errors.ts';
import { CATEGORIES } from '../taxonomy.ts';
import type { Sequence } from './engine.ts';
import { batchMemoryBytes, type FromWorker, type ToWorker, viewBatchMemory, type WorkerStart } from './protocol.ts';

/** The main thread's side of one worker thread. */

export interface WorkerThread {
  /** One batch at a time. Rejects with `inference_failed` when the model fails, `worker_crashed` when the thread ends. */
  run(sequences: readonly Sequence[]): Promise<{ scores: Float32Array[]; inferenceMs: number }>;
  /** Settles when the thread has ended, for whatever reason. */
  readonly exited: Promise<void>;
  close(): Promise<void>;
}

/** What is used of node's `Worker`. */
export type WorkerPort = Pick<Worker, 'on' | 'once' | 'postMessage' | 'terminate'>;

/** Starts a thread; replaced in tests. */
export type Spawn = (start: WorkerStart) => WorkerPort;

export interface WorkerSettings extends Omit<WorkerStart, 'batch'> {
  /** Fills rows shorter than the batch. The mask hides it, but the model sees what it saw in training. */
  readonly padId: number;
}

const LABELS = CATEGORIES.length;

/** Resolves when the session stands. Rejects with `checkpoint_model_invalid`, `checkpoint_model_signature`, `worker_crashed`. */
export async function startWorkerThread(settings: WorkerSettings, spawn: Spawn = spawnWorker): Promise<WorkerThread> {
  const { model, provider, intraOpThreads, maxBatchTokens, maxBatchSequences, padId } = settings;
  const batch = new SharedArrayBuffer(batchMemoryBytes(maxBatchTokens, maxBatchSequences, LABELS));
  const memory = viewBatchMemory(batch, maxBatchTokens, maxBatchSequences, LABELS);
  const worker = spawn({ model, provider, intraOpThreads, maxBatchTokens, maxBatchSequences, batch });

  let ended: DuoguardError | undefined;
  let waiting: { resolve: (message: FromWorker) => void; reject: (error: DuoguardError) => void } | undefined;
  let thrown: unknown;
  worker.on('error', (error) => {
    thrown = error;
  });
  worker.on('message', (message: FromWorker) => {
    const current = waiting;
    waiting = undefined;
    current?.resolve(message);
  });
  const exited = new Promise<void>((resolve) => {
    worker.once('exit', () => {
      ended = new DuoguardError('worker_crashed', { cause: thrown });
      waiting?.reject(ended);
      resolve();
    });
  });

  function nextMessage(): Promise<FromWorker> {
    return new Promise((resolve, reject) => {
      if (ended) reject(ended);
      else waiting = { resolve, reject };
    });
  }

  function post(message: ToWorker): void {
    worker.postMessage(message);
  }

  const first = await nextMessage();
  if (first.type !== 'ready') {
    // Only here may a thread be terminated: inside a run that would abort the whole process (onnxruntime-node 1.30).
    await worker.terminate();
    if (first.type === 'unusable') throw unusableModel(first.code, first.reason);
    throw new DuoguardError('worker_crashed');
  }

  return {
    exited,
    async run(sequences) {
      const width = writeBatch(memory, sequences, padId);
      const reply = nextMessage();
      post({ type: 'run', sequences: sequences.length, width });
      const message = await reply;
      if (message.type !== 'scored') {
        throw new DuoguardError('inference_failed', {
          cause: message.type === 'failed' ? message.reason : message.type,
        });
      }
      const all = memory.probabilities.slice(0, sequences.length * LABELS);
      const scores = sequences.map((_, row) => all.subarray(row * LABELS, (row + 1) * LABELS));
      return { scores, inferenceMs: message.inferenceMs };
    },
    async close() {
      post({ type: 'close' });
      await exited;
    },
  };
}

function unusableModel(code: 'checkpoint_model_invalid' | 'checkpoint_model_signature', reason: string): DuoguardError {
  // The runtime's own words may quote the model's metadata: for the log, not for a client.
  if (code === 'checkpoint_model_invalid') return new DuoguardError(code, { cause: reason });
  return new DuoguardError(code, { message: `The model does not have the expected inputs and output: ${reason}.` });
}

/** Returns the width: the longest sequence. */
function writeBatch(memory: ReturnType<typeof viewBatchMemory>, sequences: readonly Sequence[], padId: number): number {
  const width = Math.max(...sequences.map((ids) => ids.length));
  for (const [row, ids] of sequences.entries()) {
    memory.lengths[row] = ids.length;
    memory.ids.set(ids, row * width);
    memory.ids.fill(padId, row * width + ids.length, (row + 1) * width);
  }
  return width;
}

export function spawnWorker(start: WorkerStart): Worker {
  if (!import.meta.url.endsWith('.ts'))
    return new Worker(new URL('./worker.js', import.meta.url), { workerData: start });
  const entry = new URL('./worker.ts', import.meta.url).href;
  return new Worker(new URL('./worker-from-source.mjs', import.meta.url), { workerData: start, argv: [entry] });
}
