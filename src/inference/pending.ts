import type { DuoguardError } from '../errors.ts';
import { cancellation } from './cancellation.ts';
import type { Scored } from './engine.ts';

/** Told before `scored` settles. */
export interface PendingObserver {
  aborted(request: PendingRequest): void;
  /** Whatever became of it. */
  settled(request: PendingRequest): void;
}

/** An accepted request, from submission until every sequence has an outcome or its signal fires. */
export class PendingRequest {
  readonly scored: Promise<Scored>;
  readonly #submittedAt = performance.now();
  readonly #outcomes: (Float32Array | DuoguardError)[];
  readonly #signal: AbortSignal;
  readonly #observer: PendingObserver;
  readonly #onAbort: () => void;
  #missing: number;
  #startedAt: number | undefined;
  #settled = false;
  #resolve!: (scored: Scored) => void;
  #reject!: (error: DuoguardError) => void;

  constructor(sequences: number, signal: AbortSignal, observer: PendingObserver) {
    this.#observer = observer;
    this.#outcomes = new Array(sequences);
    this.#missing = sequences;
    this.#signal = signal;
    this.scored = new Promise<Scored>((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    this.#onAbort = () => {
      this.#settled = true;
      observer.aborted(this);
      observer.settled(this);
      this.#reject(cancellation(signal));
    };
    signal.addEventListener('abort', this.#onAbort, { once: true });
    if (sequences === 0) this.#finish();
  }

  /** True once `scored` has settled: what is still delivered is of no use to anybody. */
  get settled(): boolean {
    return this.#settled;
  }

  /** A sequence begins to run. */
  begin(now: number): void {
    this.#startedAt ??= now;
  }

  deliver(index: number, outcome: Float32Array | DuoguardError): void {
    if (this.#settled) return;
    this.#outcomes[index] = outcome;
    this.#missing--;
    if (this.#missing === 0) this.#finish();
  }

  #finish(): void {
    this.#settled = true;
    this.#observer.settled(this);
    this.#signal.removeEventListener('abort', this.#onAbort);
    const began = this.#startedAt ?? this.#submittedAt;
    const scored = {
      scores: this.#outcomes,
      queueMs: began - this.#submittedAt,
      inferenceMs: performance.now() - began,
    };
    this.#resolve(scored);
  }
}
