import type { DuoguardError } from '../errors.ts';
import { cancellation } from './cancellation.ts';
import type { Scored } from './engine.ts';

/** An accepted request, from submission until every sequence has an outcome or its signal fires. */
export interface PendingRequest {
  readonly scored: Promise<Scored>;
  /** True once `scored` has settled: what is still delivered is of no use to anybody. */
  readonly settled: boolean;
  /** A sequence begins to run. */
  begin(now: number): void;
  deliver(index: number, outcome: Float32Array | DuoguardError): void;
}

/** `onAbort` runs before `scored` rejects. */
export function createPendingRequest(
  sequences: number,
  signal: AbortSignal,
  onAbort: (request: PendingRequest) => void,
): PendingRequest {
  const submittedAt = performance.now();
  const outcomes: (Float32Array | DuoguardError)[] = new Array(sequences);
  let missing = sequences;
  let startedAt: number | undefined;
  let settled = false;
  let resolve: (scored: Scored) => void;
  let reject: (error: DuoguardError) => void;
  const scored = new Promise<Scored>((onScored, onFailure) => {
    resolve = onScored;
    reject = onFailure;
  });

  function finish(): void {
    settled = true;
    signal.removeEventListener('abort', abort);
    const began = startedAt ?? submittedAt;
    resolve({ scores: outcomes, queueMs: began - submittedAt, inferenceMs: performance.now() - began });
  }

  function abort(): void {
    settled = true;
    onAbort(request);
    reject(cancellation(signal));
  }

  const request: PendingRequest = {
    scored,
    get settled() {
      return settled;
    },
    begin(now) {
      startedAt ??= now;
    },
    deliver(index, outcome) {
      if (settled) return;
      outcomes[index] = outcome;
      missing--;
      if (missing === 0) finish();
    },
  };
  signal.addEventListener('abort', abort, { once: true });
  if (sequences === 0) finish();
  return request;
}
