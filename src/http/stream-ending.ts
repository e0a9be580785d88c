import { DuoguardError } from '../errors.ts';
import type { StreamEnd } from './answer.ts';

/** When a stream is over, for whatever reason, and why. The first reason counts. */
export class StreamEnding {
  readonly ended: Promise<StreamEnd>;
  readonly #controller = new AbortController();
  readonly #timer: NodeJS.Timeout;
  #resolve: (end: StreamEnd) => void = () => {};

  constructor(milliseconds: number) {
    this.ended = new Promise((resolve) => {
      this.#resolve = resolve;
    });
    this.#timer = setTimeout(() => this.abort(new DuoguardError('deadline_exceeded')), milliseconds);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  abort(reason: DuoguardError): void {
    this.#controller.abort(reason);
    clearTimeout(this.#timer);
  }

  end(error: StreamEnd): void {
    clearTimeout(this.#timer);
    this.#resolve(error);
  }
}
