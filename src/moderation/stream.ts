import { setTimeout as sleep } from 'node:timers/promises';
import { DuoguardError, ERRORS, type ErrorCode } from '../errors.ts';
import { cancellation } from '../inference/cancellation.ts';
import type { Classifier, ClassifyRequest, StreamClassifier, StreamEvent, StreamSettings } from './contract.ts';
import { type JudgedWindow, StreamOutcome } from './stream-outcome.ts';
import type { StreamTenure } from './stream-tenure.ts';
import { type StreamWindow, StreamWindows, textOf } from './stream-windows.ts';

export interface StreamDependencies {
  /** Asked once per stream. Throws `not_ready` when nothing can judge yet. */
  readonly begin: () => StreamTenure;
}

/** Windows of one stream that are judged at the same time; no more text is read while so many are. */
const WINDOWS_IN_FLIGHT = 4;

const DEFAULT_CHUNK_TOKENS = 64;
const DEFAULT_CONTEXT_TOKENS = 64;
const DEFAULT_FLUSH_MS = 1000;

/** Milliseconds before a window that met a full queue is offered again. A stream waits where a request would be refused. */
const RETRIES = [50, 100, 200, 400, 800, 1600];

/** Never rejects: a window may fail while an earlier one is still waited for. */
type Judge = (
  window: StreamWindow,
) => Promise<JudgedWindow | { readonly window: StreamWindow; readonly error: unknown }>;

/**
 *    deltas --> StreamWindows --> up to 4 windows in classify() --> in order --> verdict, flag, release
 *       ^                                   |
 *       +------ not read while it is full --+            the consumer asks for events one by one
 *
 * While nothing comes for `flushMs`, what has come is judged. What a stream began with is released when it ends: done,
 * failed, left by its consumer, or stopped by its signal, even if nobody asks for another event then.
 */
export function createStreamClassifier({ begin }: StreamDependencies): StreamClassifier {
  return {
    classifyStream(deltas, settings, request, signal) {
      const { classifier, counter, release } = begin();
      const over = endWith(signal, release);
      try {
        const { chunkTokens, contextTokens, holdBack, flushMs } = fitSettings(settings, counter.capacity);
        const windows = new StreamWindows(counter.count, { chunkTokens, contextTokens });
        const judge = createJudge(classifier, request, over.signal);
        return startedOrNot(judgeStream(deltas, windows, judge, { holdBack, flushMs }, over), over);
      } catch (error) {
        over.abort(error);
        throw error;
      }
    },
  };
}

/** Aborted when the stream is over, which it is at the latest when `signal` fires; `release` is called then. */
function endWith(signal: AbortSignal, release: () => void): AbortController {
  const over = new AbortController();
  const stop = () => over.abort(signal.reason);
  const ended = () => {
    signal.removeEventListener('abort', stop);
    release();
  };
  over.signal.addEventListener('abort', ended, { once: true });
  if (signal.aborted) stop();
  else signal.addEventListener('abort', stop, { once: true });
  return over;
}

/** Leaving a generator that never ran does not run its `finally` either. */
function startedOrNot(
  events: AsyncGenerator<StreamEvent, void, undefined>,
  over: AbortController,
): AsyncGenerator<StreamEvent, void, undefined> {
  const leave = events.return.bind(events);
  events.return = (value) => {
    over.abort(new DuoguardError('client_closed'));
    return leave(value);
  };
  return events;
}

async function* judgeStream(
  deltas: AsyncIterable<string>,
  windows: StreamWindows,
  judge: Judge,
  { holdBack, flushMs }: { readonly holdBack: number | undefined; readonly flushMs: number },
  over: AbortController,
): AsyncGenerator<StreamEvent, void, undefined> {
  const input = deltas[Symbol.asyncIterator]();
  const outcome = new StreamOutcome(holdBack);
  const inFlight: ReturnType<Judge>[] = [];
  let reading: Promise<IteratorResult<string>> | undefined;
  let pause: Pause | undefined;
  let ended = false;
  try {
    for (;;) {
      if (over.signal.aborted) throw cancellation(over.signal);
      while (inFlight.length < WINDOWS_IN_FLIGHT) {
        const window = windows.next();
        if (window === undefined) break;
        inFlight.push(judge(window));
      }
      const mayRead = !ended && inFlight.length < WINDOWS_IN_FLIGHT;
      if (mayRead) reading ??= input.next();
      const oldest = inFlight[0];
      if (oldest === undefined && !mayRead) break;
      if (mayRead && flushMs > 0 && windows.waiting) pause ??= startPause(flushMs);
      else {
        pause?.clear();
        pause = undefined;
      }
      const next = await Promise.race([
        ...(oldest ? [oldest] : []),
        ...(mayRead && reading ? [reading] : []),
        ...(mayRead && pause ? [pause.over] : []),
      ]);
      if ('paused' in next) {
        pause = undefined;
        windows.flush();
      } else if ('window' in next) {
        void inFlight.shift();
        if ('error' in next) throw next.error;
        yield* outcome.add(next);
      } else {
        reading = undefined;
        pause = pause?.again();
        if (!next.done) windows.push(next.value);
        else {
          ended = true;
          windows.end();
        }
      }
    }
    yield* outcome.finish();
  } finally {
    pause?.clear();
    over.abort(new DuoguardError('client_closed'));
    // A read that is still under way ends with the signal of the caller; nobody is left to hear of it.
    reading?.catch(() => {});
    if (!ended) input.return?.().catch(() => {});
  }
}

interface Pause {
  readonly over: Promise<{ readonly paused: true }>;
  /** Begins anew, which for each word is cheaper than another one; undefined when it is over already. */
  again(): Pause | undefined;
  clear(): void;
}

function startPause(milliseconds: number): Pause {
  let end: (paused: { readonly paused: true }) => void = () => {};
  let ended = false;
  const over = new Promise<{ readonly paused: true }>((resolve) => {
    end = resolve;
  });
  const timer = setTimeout(() => {
    ended = true;
    end({ paused: true });
  }, milliseconds);
  const pause: Pause = {
    over,
    again() {
      if (ended) return undefined;
      timer.refresh();
      return pause;
    },
    clear: () => clearTimeout(timer),
  };
  return pause;
}

function createJudge(
  classifier: Classifier,
  request: Omit<ClassifyRequest, 'items' | 'signal'>,
  signal: AbortSignal,
): Judge {
  return async (window) => {
    const text = textOf([...window.context, ...window.chunk]);
    let decided: JudgedWindow | undefined;
    try {
      return await patiently(async () => {
        decided = undefined;
        const verdict = await classifier.classify({ ...request, items: [text], signal });
        const result = verdict.results[0];
        if (result === undefined) throw new DuoguardError('inference_failed');
        if (!('error' in result)) return { window, verdict, result };
        // Kept until waiting for a full queue did not help.
        const { action } = result;
        if (action !== undefined) decided = { window, verdict, result: { ...result, action } };
        throw new DuoguardError(toErrorCode(result.error.code));
      }, signal);
    } catch (error) {
      if (signal.aborted) return { window, error: cancellation(signal) };
      return decided ?? { window, error };
    }
  };
}

async function patiently<T>(work: () => Promise<T>, signal: AbortSignal): Promise<T> {
  for (const wait of RETRIES) {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof DuoguardError && error.code === 'overloaded')) throw error;
    }
    // Rejects early when the signal fires; `work` then rejects too.
    await sleep(wait, undefined, { signal }).catch(() => {});
  }
  return work();
}

function toErrorCode(code: string): ErrorCode {
  return code in ERRORS ? (code as ErrorCode) : 'inference_failed';
}

function fitSettings(settings: StreamSettings, capacity: number) {
  const contextTokens = settings.contextTokens ?? Math.min(DEFAULT_CONTEXT_TOKENS, capacity >> 1);
  const chunkTokens = settings.chunkTokens ?? Math.min(DEFAULT_CHUNK_TOKENS, capacity - contextTokens);
  if (chunkTokens < 1 || chunkTokens + contextTokens > capacity) {
    throw invalidSetting('chunk_tokens', `with context_tokens at most ${capacity}, the window of the model`);
  }
  const { holdBack } = settings;
  if (holdBack !== undefined && holdBack > contextTokens) {
    throw invalidSetting('hold_back', `at most context_tokens, which is ${contextTokens}`);
  }
  return { chunkTokens, contextTokens, holdBack, flushMs: settings.flushMs ?? DEFAULT_FLUSH_MS };
}

function invalidSetting(field: string, expected: string): DuoguardError {
  return new DuoguardError('invalid_request', { message: `${field}: expected ${expected}.`, details: { field } });
}
