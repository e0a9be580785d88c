import { EventEmitter } from 'node:events';
import { type FromWorker, type ToWorker, viewBatchMemory, type WorkerStart } from '../../src/inference/protocol.ts';
import type { Spawn, WorkerPort } from '../../src/inference/worker-thread.ts';
import { CATEGORIES } from '../../src/taxonomy.ts';

/** A batch as a fake worker received it: the token ids of each row, without padding. */
export type FakeBatch = number[][];

/** A worker without a thread, which does what the test tells it and when. It gives every row its first id / 1000. */
export class FakeWorker extends EventEmitter {
  readonly #start: WorkerStart;
  /** Batches in the order they were received. */
  readonly batches: FakeBatch[] = [];
  /** Whether a batch waits for `finish`, `fail` or `crash`. */
  running = false;

  constructor(start: WorkerStart) {
    super();
    this.#start = start;
  }

  postMessage(message: ToWorker): void {
    if (message.type === 'close') {
      this.crash();
      return;
    }
    const { lengths, ids } = this.#memory();
    const rows = Array.from({ length: message.sequences }, (_, row) => [
      ...ids.subarray(row * message.width, row * message.width + (lengths[row] as number)),
    ]);
    this.batches.push(rows);
    this.running = true;
  }

  finish(): void {
    const { probabilities } = this.#memory();
    for (const [row, ids] of (this.batches.at(-1) as FakeBatch).entries()) {
      probabilities.fill((ids[0] as number) / 1000, row * CATEGORIES.length, (row + 1) * CATEGORIES.length);
    }
    this.#reply({ type: 'scored', inferenceMs: 1 });
  }

  fail(): void {
    this.#reply({ type: 'failed', reason: 'planted' });
  }

  crash(): void {
    this.running = false;
    this.emit('exit', 1);
  }

  terminate(): Promise<number> {
    this.crash();
    return Promise.resolve(1);
  }

  #reply(message: FromWorker): void {
    this.running = false;
    this.emit('message', message);
  }

  #memory() {
    const { batch, maxBatchTokens, maxBatchSequences } = this.#start;
    return viewBatchMemory(batch, maxBatchTokens, maxBatchSequences, CATEGORIES.length);
  }
}

/** Spawns fake workers that are ready at once, and lists them, replacements too. */
export function fakeSpawn(): { spawn: Spawn; workers: FakeWorker[] } {
  const workers: FakeWorker[] = [];
  const spawn: Spawn = (start) => {
    const worker = new FakeWorker(start);
    workers.push(worker);
    queueMicrotask(() => worker.emit('message', { type: 'ready' } satisfies FromWorker));
    return worker as unknown as WorkerPort;
  };
  return { spawn, workers };
}
