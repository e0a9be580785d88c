/**
 * starting --ready()--> ready --drain()--> draining --refuse()--> refusing
 *
 * `draining` still serves, so that a load balancer has time to notice; `refusing` only finishes what it has.
 */
export type LifecycleState = 'starting' | 'ready' | 'draining' | 'refusing';

/** What the process is doing, and how many requests it still owes an answer. */
export class Lifecycle {
  #state: LifecycleState = 'starting';
  #inFlight = 0;
  #whenIdle: (() => void)[] = [];

  get state(): LifecycleState {
    return this.#state;
  }

  /** True once shutdown has begun: every answer then asks its client to close the connection. */
  get closing(): boolean {
    return this.#state === 'draining' || this.#state === 'refusing';
  }

  ready(): void {
    if (this.#state === 'starting') this.#state = 'ready';
  }

  drain(): void {
    if (this.#state !== 'refusing') this.#state = 'draining';
  }

  refuse(): void {
    this.#state = 'refusing';
  }

  requestStarted(): void {
    this.#inFlight++;
  }

  requestEnded(): void {
    this.#inFlight--;
    if (this.#inFlight > 0) return;
    for (const resolve of this.#whenIdle.splice(0)) resolve();
  }

  /** Resolves when no request is in flight. */
  idle(): Promise<void> {
    if (this.#inFlight === 0) return Promise.resolve();
    return new Promise((resolve) => this.#whenIdle.push(resolve));
  }
}
