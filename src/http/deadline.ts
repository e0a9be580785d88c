import { DuoguardError } from '../errors.ts';
import type { ReceivedHeaders } from './received.ts';

/**
 * Ends the work of one request early: its client left, or its time is over.
 *
 * Every request has one, so it is built to cost little: one timer, and an `AbortSignal` only once the work that needs one
 * begins. Racing each await against that signal, with listeners added and removed, cost 30 us a request.
 */
export class Deadline {
  readonly #timer: NodeJS.Timeout;
  #failure: DuoguardError | undefined;
  #controller: AbortController | undefined;
  #rejectWork: ((error: DuoguardError) => void) | undefined;

  constructor(milliseconds: number) {
    this.#timer = setTimeout(() => this.fail(new DuoguardError('deadline_exceeded')), milliseconds);
  }

  /** For work that can be stopped. Its reason is the `DuoguardError` to answer with. */
  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#failure !== undefined) this.#controller.abort(this.#failure);
    }
    return this.#controller.signal;
  }

  /** The first failure counts; after `clear` none does. */
  fail(error: DuoguardError): void {
    if (this.#failure !== undefined) return;
    this.#failure = error;
    clearTimeout(this.#timer);
    this.#controller?.abort(error);
    this.#rejectWork?.(error);
  }

  /** Settles like `work`, or rejects as soon as the deadline fails. One work at a time. */
  limit<T>(work: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#rejectWork = reject;
      if (this.#failure !== undefined) reject(this.#failure);
      work.then(resolve, reject);
    });
  }

  /** Must run when the request is answered: the timer would hold it in memory, and what happens later concerns nobody. */
  clear(): void {
    clearTimeout(this.#timer);
    this.#rejectWork = undefined;
    this.#controller = undefined;
  }
}

/** @param limitMs the server's limit; `x-request-deadline-ms`, counted from arrival, may only shorten it. */
export function deadlineMs(headers: ReceivedHeaders, limitMs: number): number {
  const text = headers.get('x-request-deadline-ms');
  if (text === null) return limitMs;
  if (/^\d{1,9}$/.test(text)) return Math.min(limitMs, Number(text));
  throw new DuoguardError('invalid_request', {
    message: 'x-request-deadline-ms: expected a whole number of milliseconds.',
    details: { field: 'x-request-deadline-ms' },
  });
}
