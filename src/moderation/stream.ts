import { setTimeout as sleep } from 'node:timers/promises';
import { DuoguardError, ERRORS, type ErrorCode } from '../errors.ts';
import type { Classifier, ClassifyRequest, StreamClassifier, StreamEvent, StreamSettings } from './contract.ts';
import { type JudgedWindow, StreamOutcome } from './stream-outcome.ts';
import { type StreamWindow, StreamWindows, textOf } from './stream-windows.ts';
import type { TokenCounter } from './token-counter.ts';

export interface StreamDependencies {
  readonly classifier: Classifier;
  /** Asked once per stream. Throws `not_ready` when nothing can count yet. */
  readonly tokenCounter: () => TokenCounter;
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
 * While nothing comes for `flushMs`, what has come is judged.
 */
export function createStreamClassifier({ classifier, tokenCounter }: StreamDependencies): StreamClassifier {
  return {
    classifyStream(deltas, settings, request, signal) {
      const counter = tokenCounter();
      const { chunkTokens, contextTokens, holdBack, flushMs } = fitSettings(settings, counter.capacity);
      const windows = new StreamWindows(counter.count, { chunkTokens, contextTokens });
      const stopped = new AbortController();
      const judge = createJudge(classifier, request, AbortSignal.any([signal, stopped.signal]));
      return judgeStream(deltas, windows, judge, { holdBack, flushMs }, stopped);
    },
  };
}

async function* judgeStream(
  deltas: AsyncIterable<string>,
  windows: StreamWindows,
  judge: Judge,
  { holdBack, flushMs }: { readonly holdBack: number | undefined; readonly flushMs: number },
  stopped: AbortController,
): AsyncGenerator<StreamEvent, void, undefined> {
  const input = deltas[Symbol.asyncIterator]();
  const outcome = new StreamOutcome(holdBack);
  const inFlight: ReturnType<Judge>[] = [];
  let reading: Promise<IteratorResult<string>> | undefined;
  let pause: Pause | undefined;
  let ended = false;
  try {
    for (;;) {
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
        pause?.clear();
        pause = undefined;
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
    stopped.abort(new DuoguardError('client_closed'));
    // A read that is still under way ends with the signal of the caller; nobody is left to hear of it.
    reading?.catch(() => {});
    if (!ended) input.return?.().catch(() => {});
  }
}

interface Pause {
  readonly over: Promise<{ readonly paused: true }>;
  clear(): void;
}

function startPause(milliseconds: number): Pause {
  let timer: NodeJS.Timeout | undefined;
  const over = new Promise<{ readonly paused: true }>((resolve) => {
    timer = setTimeout(resolve, milliseconds, { paused: true });
  });
  return { over, clear: () => clearTimeout(timer) };
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
    // Rejects early when the signal fires; `work` then rejects with the reason.
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
