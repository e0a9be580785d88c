import type { ClassifyItem, ItemFailure, ItemVerdict, Timings } from './moderation/contract.ts';
import type { Category, PerCategory } from './taxonomy.ts';

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
  readonly thresholds?: Partial<PerCategory<number>>;
  readonly categories?: readonly Category[];
  readonly longInput?: 'window' | 'reject';
  readonly explain?: boolean;
  /** Ends the call with the reason of the signal. */
  readonly signal?: AbortSignal;
}

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

export interface Client {
  /** Rejects with a `ClientError`, or with the reason of `options.signal`. */
  classify(input: ClassifyItem | readonly ClassifyItem[], options?: ClassifyOptions): Promise<Classification>;
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

export function createClient(options: ClientOptions): Client {
  const { apiKey, timeoutMs = 10_000, retries = 2, fetch: send = fetch } = options;
  const url = new URL('classify', options.baseUrl.endsWith('/') ? options.baseUrl : `${options.baseUrl}/`);

  /** One attempt. The server is told how long anybody waits, so that it drops what comes too late. */
  async function attempt(body: string, signal: AbortSignal, deadline: number): Promise<Classification> {
    const response = await send(url, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'x-request-deadline-ms': String(Math.max(1, Math.floor(deadline - performance.now()))),
        ...(apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` }),
      },
      body,
      signal,
    });
    const answer = await response.text();
    if (!response.ok) throw toError(response, parse(answer));
    const classification = parse(answer);
    if (isClassification(classification)) return classification;
    throw new ClientError('unexpected_answer', 'The answer is not a classification.', factsOf(response));
  }

  return {
    async classify(input, { signal: given, ...asked } = {}) {
      const deadline = performance.now() + timeoutMs;
      const timeout = AbortSignal.timeout(timeoutMs);
      const signal = given === undefined ? timeout : AbortSignal.any([given, timeout]);
      const body = JSON.stringify(toBody(input, asked));
      for (let tried = 0; ; tried++) {
        try {
          return await attempt(body, signal, deadline);
        } catch (thrown) {
          given?.throwIfAborted();
          const error = toClientError(thrown, timeout);
          const wait = 1000 * (error.facts.retryAfterSeconds ?? FIRST_WAIT_SECONDS * 2 ** tried);
          if (!mayRetry(error) || tried >= retries || performance.now() + wait >= deadline) throw error;
          await pause(wait, given);
        }
      }
    },
  };
}

function toBody(input: ClassifyItem | readonly ClassifyItem[], options: Omit<ClassifyOptions, 'signal'>) {
  const { policy, thresholds, categories, longInput, explain } = options;
  return { input, policy, thresholds, categories, long_input: longInput, explain };
}

/** Only a refusal is tried again: after anything else nobody knows what the server has done. */
function mayRetry({ facts: { status } }: ClientError): boolean {
  return status === 429 || status === 503;
}

function toClientError(thrown: unknown, timeout: AbortSignal): ClientError {
  if (thrown instanceof ClientError) return thrown;
  if (timeout.aborted) return new ClientError('timeout', 'The server did not answer in time.', {}, thrown);
  return new ClientError('unreachable', 'The server cannot be reached.', {}, thrown);
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
