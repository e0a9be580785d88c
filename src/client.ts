import type { ClassifyItem, ItemFailure, ItemVerdict, Span, Timings } from './moderation/contract.ts';
import type { Category, PerCategory } from './taxonomy.ts';

export type { ClassifyItem, ItemFailure, ItemVerdict } from './moderation/contract.ts';

/**
 * The client of a duoguard server, for anything that has `fetch`: `import { createClient } from 'duoguard/client'`. It
 * imports types only, so that nothing of the server comes with it.
 */
export interface ClientOptions {
  /** For example `http://localhost:8080`; a path is kept. */
  readonly baseUrl: string;
  readonly apiKey?: string;
  /** For one call, its retries included. Default: 10,000. */
  readonly timeoutMs?: number;
  /** How often a call that the server refused with 429 or 503 is tried again. Default: 2. */
  readonly retries?: number;
  readonly fetch?: typeof fetch;
}

export interface ClassifyOptions {
  readonly policy?: string;
  /** Default: the response to a prompt is output, everything else input. */
  readonly direction?: 'input' | 'output';
  /** Of all items, for policies with conditions on it. Default: detected. */
  readonly language?: string;
  readonly thresholds?: Partial<PerCategory<number>>;
  readonly categories?: readonly Category[];
  readonly longInput?: 'window' | 'reject';
  readonly explain?: boolean;
  /** Ends the call with the reason of the signal. */
  readonly signal?: AbortSignal;
}

export interface ClassifyStreamOptions
  extends Pick<ClassifyOptions, 'policy' | 'language' | 'thresholds' | 'categories' | 'signal'> {
  /** Default: `output`. */
  readonly direction?: 'input' | 'output';
  readonly chunkTokens?: number;
  readonly contextTokens?: number;
  /** Return the text too, once it was judged, all but so many tokens at its end. */
  readonly holdBack?: number;
  readonly flushMs?: number;
}

/** What `POST /classify/stream` tells (docs/streaming.md). Offsets are code points of the whole text. */
export type ClassificationEvent =
  | ({
      readonly event: 'verdict';
      readonly index: number;
      readonly context: number;
      readonly checkpoint: string;
    } & Span &
      Omit<ItemVerdict, 'index' | 'windows' | 'views'>)
  | ({
      readonly event: 'failure';
      readonly index: number;
      readonly context: number;
      readonly checkpoint: string;
    } & Span &
      Pick<ItemFailure, 'error'> & { readonly action: 'allow' | 'block' })
  | ({ readonly event: 'flag'; readonly index: number; readonly categories: readonly Category[] } & Span)
  | ({ readonly event: 'release'; readonly text: string } & Span)
  | {
      readonly event: 'done';
      readonly id: string;
      readonly checkpoint: string;
      readonly policy: string;
      readonly action: ItemVerdict['action'];
      /** None when no window could be judged. */
      readonly flagged?: boolean;
      readonly length: number;
      readonly released: number;
      readonly failed?: number;
    };

export interface Classification {
  readonly id: string;
  readonly model: string;
  readonly checkpoint: string;
  readonly policy: string;
  /** In input order, one per item. */
  readonly results: readonly (ItemVerdict | ItemFailure)[];
  readonly usage: { readonly tokens: number };
  readonly timing_ms: Timings;
}

/** What was judged wrongly and what would have been right; `id` or `text` is needed. */
export interface FeedbackInput {
  /** Of the answer that was wrong, or its `x-request-id`. */
  readonly id?: string;
  /** Which item of that answer. Default: 0. */
  readonly index?: number;
  readonly text?: string;
  readonly unsafe: boolean;
  /** Of an unsafe text at least one. */
  readonly categories?: readonly Category[];
  readonly lang?: string;
  readonly kind?: 'prompt' | 'response' | 'qa' | 'comment' | 'dialogue';
  readonly checkpoint?: string;
  readonly scores?: Partial<PerCategory<number>>;
  readonly note?: string;
}

export interface FeedbackReceipt {
  readonly id: string;
  /** False when the same was said before. */
  readonly created: boolean;
  readonly text_known: boolean;
}

export interface FeedbackOptions {
  readonly idempotencyKey?: string;
  /** Ends the call with the reason of the signal. */
  readonly signal?: AbortSignal;
}

export interface Client {
  /** Rejects with a `ClientError`, or with the reason of `options.signal`. */
  classify(input: ClassifyItem | readonly ClassifyItem[], options?: ClassifyOptions): Promise<Classification>;
  /**
   * Judges a text while it is written. `deltas` are read no faster than the server takes them. Leaving the iterator ends
   * the request and closes `deltas`. Fails like `classify`, or with what `deltas` failed with; nothing is tried again,
   * and `timeoutMs` does not count.
   */
  classifyStream(
    deltas: AsyncIterable<string>,
    options?: ClassifyStreamOptions,
  ): AsyncGenerator<ClassificationEvent, void, undefined>;
  /** Rejects as `classify` does. What is sent twice is stored once, so retries are safe. */
  feedback(feedback: FeedbackInput, options?: FeedbackOptions): Promise<FeedbackReceipt>;
}

export interface ClientErrorFacts {
  /** Of the answer; none when there was no answer. */
  readonly status?: number | undefined;
  /** The field that is wrong. */
  readonly param?: string | undefined;
  /** What to look for in the server's log. */
  readonly requestId?: string | undefined;
  readonly retryAfterSeconds?: number | undefined;
}

/** `code` is the server's (docs/errors.md), or `timeout`, `unreachable` or `unexpected_answer` from here. */
export class ClientError extends Error {
  override readonly name = 'ClientError';
  readonly code: string;
  readonly facts: ClientErrorFacts;

  constructor(code: string, message: string, facts: ClientErrorFacts = {}, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
    this.facts = facts;
  }
}

/** Seconds before the first retry when the server does not say; doubled for each further one. */
const FIRST_WAIT_SECONDS = 0.25;

/** One kind of call: where it goes, and what its answer must look like. */
interface Call<T> {
  readonly path: string;
  readonly body: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  readonly isAnswer: (answer: unknown) => answer is T;
}

export function createClient(options: ClientOptions): Client {
  const { apiKey, timeoutMs = 10_000, retries = 2, fetch: send = fetch } = options;
  const base = options.baseUrl.endsWith('/') ? options.baseUrl : `${options.baseUrl}/`;
  const authorization: Record<string, string> = apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` };

  /** One attempt. The server is told how long anybody waits, so that it drops what comes too late. */
  async function attempt<T>(call: Call<T>, body: string, signal: AbortSignal, deadline: number): Promise<T> {
    const response = await send(new URL(call.path, base), {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'x-request-deadline-ms': String(Math.max(1, Math.floor(deadline - performance.now()))),
        ...authorization,
        ...call.headers,
      },
      body,
      signal,
    });
    const text = await response.text();
    if (!response.ok) throw toError(response, parse(text));
    const answer = parse(text);
    if (call.isAnswer(answer)) return answer;
    throw new ClientError('unexpected_answer', 'The answer does not have the expected shape.', factsOf(response));
  }

  async function perform<T>(call: Call<T>, given: AbortSignal | undefined): Promise<T> {
    const deadline = performance.now() + timeoutMs;
    const timeout = AbortSignal.timeout(timeoutMs);
    const signal = given === undefined ? timeout : AbortSignal.any([given, timeout]);
    const body = JSON.stringify(call.body);
    for (let tried = 0; ; tried++) {
      try {
        return await attempt(call, body, signal, deadline);
      } catch (thrown) {
        given?.throwIfAborted();
        const error = toClientError(thrown, timeout);
        const wait = 1000 * (error.facts.retryAfterSeconds ?? FIRST_WAIT_SECONDS * 2 ** tried);
        if (!mayRetry(error) || tried >= retries || performance.now() + wait >= deadline) throw error;
        await pause(wait, given);
      }
    }
  }

  return {
    classify: (input, { signal, ...asked } = {}) =>
      perform({ path: 'classify', body: toBody(input, asked), isAnswer: isClassification }, signal),
    feedback: (feedback, { idempotencyKey, signal } = {}) =>
      perform(
        {
          path: 'v1/feedback',
          body: feedback,
          ...(idempotencyKey === undefined ? {} : { headers: { 'idempotency-key': idempotencyKey } }),
          isAnswer: isReceipt,
        },
        signal,
      ),
    async *classifyStream(deltas, { signal: given, ...asked } = {}) {
      const left = new AbortController();
      const signal = given === undefined ? left.signal : AbortSignal.any([given, left.signal]);
      const source = deltas[Symbol.asyncIterator]();
      let broken: { readonly error: unknown } | undefined;
      const body = toBodyOf(source, (error) => {
        broken = { error };
        left.abort();
      });
      const headers = { 'content-type': 'application/x-ndjson', ...authorization };
      try {
        const init = { method: 'POST', headers, body, signal, duplex: 'half' } as const;
        const response = await send(streamUrl(base, asked), init);
        if (!response.ok) throw toError(response, parse(await response.text()));
        yield* readEvents(response);
      } catch (thrown) {
        if (broken !== undefined) throw broken.error;
        given?.throwIfAborted();
        throw thrown instanceof ClientError ? thrown : unreachable(thrown);
      } finally {
        left.abort();
        // Whoever writes may wait for something that never comes; nobody waits for its end.
        void Promise.resolve(source.return?.()).catch(() => {});
      }
    },
  };
}

function toBody(input: ClassifyItem | readonly ClassifyItem[], options: Omit<ClassifyOptions, 'signal'>) {
  const { policy, direction, language, thresholds, categories, longInput, explain } = options;
  return { input, policy, direction, language, thresholds, categories, long_input: longInput, explain };
}

/** Settings go into the query, so that the server answers before the first delta. Text values are quoted: they are JSON. */
function streamUrl(base: string, options: Omit<ClassifyStreamOptions, 'signal'>): URL {
  const {
    policy,
    language,
    thresholds,
    categories,
    direction = 'output',
    chunkTokens,
    contextTokens,
    holdBack,
    flushMs,
  } = options;
  const settings = {
    policy,
    language,
    thresholds,
    categories,
    direction,
    chunk_tokens: chunkTokens,
    context_tokens: contextTokens,
    hold_back: holdBack,
    flush_ms: flushMs,
  };
  const url = new URL('classify/stream', base);
  for (const [name, value] of Object.entries(settings)) {
    if (value !== undefined) url.searchParams.set(name, JSON.stringify(value));
  }
  return url;
}

/** NDJSON, one delta for each time the connection asks. */
function toBodyOf(deltas: AsyncIterator<string>, failed: (error: unknown) => void): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      try {
        const { done, value } = await deltas.next();
        if (done) controller.close();
        else controller.enqueue(encoder.encode(`${JSON.stringify({ text: value })}\n`));
      } catch (error) {
        failed(error);
        controller.error(error);
      }
    },
  });
}

/** Throws a `ClientError` for the event `error`, and for a stream that ends without `done`. */
async function* readEvents(response: Response): AsyncGenerator<ClassificationEvent, void, undefined> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const piece of response.body ?? []) {
    const lines = (rest + decoder.decode(piece, { stream: true })).split('\n');
    rest = lines.pop() as string;
    for (const line of lines) {
      const event = parse(line) as ClassificationEvent | { readonly event: 'error' } | undefined;
      if (event?.event === 'error') throw toError(response, event);
      if (event === undefined) throw new ClientError('unexpected_answer', 'A line is no event.', factsOf(response));
      yield event;
      if (event.event === 'done') return;
    }
  }
  throw new ClientError('unexpected_answer', 'The stream ended before it was done.', factsOf(response));
}

/** Only a refusal is tried again: after anything else nobody knows what the server has done. */
function mayRetry({ facts: { status } }: ClientError): boolean {
  return status === 429 || status === 503;
}

function toClientError(thrown: unknown, timeout: AbortSignal): ClientError {
  if (thrown instanceof ClientError) return thrown;
  if (timeout.aborted) return new ClientError('timeout', 'The server did not answer in time.', {}, thrown);
  return unreachable(thrown);
}

function unreachable(cause: unknown): ClientError {
  return new ClientError('unreachable', 'The server cannot be reached.', {}, cause);
}

function toError(response: Response, answer: unknown): ClientError {
  const { code, message, param } = (answer as { error?: Record<string, unknown> } | undefined)?.error ?? {};
  const facts = { ...factsOf(response), ...(typeof param === 'string' ? { param } : {}) };
  if (typeof code === 'string' && typeof message === 'string') return new ClientError(code, message, facts);
  return new ClientError('unexpected_answer', `The answer has status ${response.status} and no error.`, facts);
}

function factsOf({ status, headers }: Response): ClientErrorFacts {
  const wait = headers.get('retry-after');
  return {
    status,
    requestId: headers.get('x-request-id') ?? undefined,
    retryAfterSeconds: wait === null || !/^\d+$/.test(wait) ? undefined : Number(wait),
  };
}

function isClassification(answer: unknown): answer is Classification {
  return typeof answer === 'object' && answer !== null && 'results' in answer && Array.isArray(answer.results);
}

function isReceipt(answer: unknown): answer is FeedbackReceipt {
  return typeof answer === 'object' && answer !== null && 'id' in answer && 'created' in answer;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Rejects with the reason of `signal`. */
function pause(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', stop);
      resolve();
    }, milliseconds);
    signal?.addEventListener('abort', stop, { once: true });
  });
}
