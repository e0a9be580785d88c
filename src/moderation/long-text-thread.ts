import { Worker } from 'node:worker_threads';
import type { EncoderFiles, LongTexts, LongWindowText, PreparedLongText } from '../checkpoint/long-texts.ts';
import { DuoguardError } from '../errors.ts';
import { cancellation } from '../inference/cancellation.ts';
import { type LongTextReply, type LongTextRequest, type PackedLongText, unpackWindows } from './long-text-protocol.ts';

/**
 * Code units. Preparing so much takes 1 to 8 ms, most for text in disguise: what the thread that answers can spare. The
 * 2 MB of the largest body take from a fifth of a second to seconds.
 */
const LONG_TEXT = 16_384;

/** Code units. Eight of the largest bodies: seconds of work, and 32 MB at most. */
const MOST_WAITING = 16_777_216;

export interface LongTextOptions {
  /** Shortest text that is long. */
  readonly from?: number;
  /** Code units of the texts that may wait. */
  readonly mostWaiting?: number;
  /** Replaced in tests. */
  readonly spawn?: (files: EncoderFiles) => Worker;
}

const CRASHED = 'The thread that prepares long texts ended while it held this request.';

type Answer = Extract<LongTextReply, { readonly text: unknown }>;

interface Job {
  readonly order: LongTextRequest;
  settle(reply: LongTextReply | DuoguardError): void;
}

/** The thread starts with the first long text, which waits for it some tenths of a second, and stays. */
export function createLongTexts(
  files: EncoderFiles,
  { from = LONG_TEXT, mostWaiting = MOST_WAITING, spawn = spawnThread }: LongTextOptions = {},
): LongTexts {
  const waiting = new Set<Job>();
  let thread: Worker | undefined;
  let running: Job | undefined;
  let closed = false;

  function start(): Worker {
    const started = spawn(files);
    let thrown: unknown;
    started.on('error', (error) => {
      thrown = error;
    });
    started.on('message', finish);
    started.once('exit', () => {
      thread = undefined;
      finish(
        closed
          ? new DuoguardError('shutting_down')
          : new DuoguardError('worker_crashed', { message: CRASHED, cause: thrown }),
      );
    });
    return started;
  }

  function finish(outcome: LongTextReply | DuoguardError): void {
    const job = running;
    running = undefined;
    thread?.unref();
    job?.settle(outcome);
    next();
  }

  function next(): void {
    const [job] = waiting;
    if (running !== undefined || job === undefined) return;
    waiting.delete(job);
    running = job;
    try {
      thread ??= start();
    } catch (cause) {
      finish(new DuoguardError('worker_crashed', { message: CRASHED, cause }));
      return;
    }
    thread.ref();
    thread.postMessage(job.order);
  }

  /** None that waits: any may, or one that is longer than all of them may be would be refused for ever. */
  function fits({ raw }: LongTextRequest): boolean {
    let units = raw.length;
    for (const { order } of waiting) units += order.raw.length;
    return waiting.size === 0 || units <= mostWaiting;
  }

  function ask(order: LongTextRequest, signal: AbortSignal): Promise<Answer['text']> {
    return new Promise((resolve, reject) => {
      const abort = () => {
        waiting.delete(job);
        reject(cancellation(signal));
      };
      const job: Job = {
        order,
        settle(reply) {
          signal.removeEventListener('abort', abort);
          if (reply instanceof DuoguardError) return reject(reply);
          if (reply.type === 'failed') return reject(reply.error);
          if (reply.type === 'refused') return reject(new DuoguardError(reply.code, reply));
          resolve(reply.text);
        },
      };
      if (closed) return reject(new DuoguardError('shutting_down'));
      if (signal.aborted) return reject(cancellation(signal));
      if (!fits(order)) return reject(new DuoguardError('overloaded', { details: { retryAfterSeconds: 1 } }));
      signal.addEventListener('abort', abort, { once: true });
      waiting.add(job);
      next();
    });
  }

  return {
    takes: (raw) => raw.length >= from,

    // The thread answers what it was asked.
    prepare: async (order, signal) => unpack((await ask(order, signal)) as PackedLongText),

    readWindow: async (order, place, signal) => (await ask({ ...order, place }, signal)) as LongWindowText,

    async close() {
      closed = true;
      for (const job of waiting) job.settle(new DuoguardError('shutting_down'));
      waiting.clear();
      await thread?.terminate();
    },
  };
}

function unpack(text: PackedLongText): PreparedLongText {
  return {
    ...text,
    readings: text.readings.map((reading) => ({ view: reading.view, windows: unpackWindows(reading) })),
  };
}

export function spawnThread(workerData: EncoderFiles): Worker {
  if (!import.meta.url.endsWith('.ts'))
    return new Worker(new URL('./long-text-worker.js', import.meta.url), { workerData });
  const entry = new URL('../inference/worker-from-source.mjs', import.meta.url);
  return new Worker(entry, { workerData, argv: [new URL('./long-text-worker.ts', import.meta.url).href] });
}
