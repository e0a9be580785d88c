import { DuoguardError } from '../errors.ts';

/** Ends the work of one request early: its client left, or its time is over. */
export interface Deadline {
  /** Its reason is the `DuoguardError` to answer with. */
  readonly signal: AbortSignal;
  /** Must run when the request is answered, or the timer would hold the request in memory. */
  clear(): void;
}

/** @param limitMs the server's limit; `x-request-deadline-ms`, counted from arrival, may only shorten it. */
export function startDeadline(request: Request, limitMs: number): Deadline {
  const controller = new AbortController();
  const milliseconds = Math.min(limitMs, requestedDeadline(request));
  const timer = setTimeout(() => controller.abort(new DuoguardError('deadline_exceeded')), milliseconds);
  const onLeave = () => controller.abort(new DuoguardError('client_closed'));
  const clientSignal = request.signal;
  if (clientSignal.aborted) onLeave();
  else clientSignal.addEventListener('abort', onLeave, { once: true });
  return {
    signal: controller.signal,
    clear() {
      clearTimeout(timer);
      clientSignal.removeEventListener('abort', onLeave);
    },
  };
}

function requestedDeadline(request: Request): number {
  const text = request.headers.get('x-request-deadline-ms');
  if (text === null) return Number.POSITIVE_INFINITY;
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw new DuoguardError('invalid_request', {
    message: 'x-request-deadline-ms: expected a whole number of milliseconds.',
    details: { field: 'x-request-deadline-ms' },
  });
}

/** Settles like `work`, or rejects with the signal's reason as soon as it fires. */
export function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(signal.reason as DuoguardError);
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
    work.then(resolve, reject);
  });
}
