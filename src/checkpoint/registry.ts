import { DuoguardError } from '../errors.ts';
import type { Checkpoint, Lease } from './checkpoint.ts';

/**
 *   activate(B)
 *       |
 *   current: A --> B          lease() gives B from here on
 *            |
 *            A retired: its leases run out, then its workers end
 */
export interface CheckpointRegistry {
  /** The serving checkpoint, for showing; to use one, take a lease. */
  readonly active: Checkpoint | undefined;
  /** Throws `not_ready` before the first activation and `shutting_down` after `close`. */
  lease(): Lease;
  /** Swaps at once. Resolves when the checkpoint that served before has drained and its workers have ended. */
  activate(next: Checkpoint): Promise<void>;
  close(): Promise<void>;
}

/** Invariant: a checkpoint is closed once, after it was retired and its last lease was released. */
interface Tenure {
  readonly checkpoint: Checkpoint;
  leases: number;
  retired: boolean;
  readonly ended: Promise<void>;
  end(): void;
}

export function createRegistry(initial?: Checkpoint): CheckpointRegistry {
  let current = initial && createTenure(initial);
  let closed = false;

  function retire(tenure: Tenure | undefined): Promise<void> {
    if (tenure === undefined) return Promise.resolve();
    tenure.retired = true;
    if (tenure.leases === 0) tenure.end();
    return tenure.ended;
  }

  return {
    get active() {
      return current?.checkpoint;
    },

    lease() {
      if (closed) throw new DuoguardError('shutting_down');
      if (current === undefined) throw new DuoguardError('not_ready');
      return createLease(current);
    },

    activate(next) {
      if (closed) return next.close();
      if (next === current?.checkpoint) return Promise.resolve();
      const previous = current;
      current = createTenure(next);
      return retire(previous);
    },

    close() {
      closed = true;
      const last = current;
      current = undefined;
      return retire(last);
    },
  };
}

function createTenure(checkpoint: Checkpoint): Tenure {
  let end = () => {};
  const ended = new Promise<void>((resolve) => {
    end = () => resolve(checkpoint.close());
  });
  return { checkpoint, leases: 0, retired: false, ended, end };
}

function createLease(tenure: Tenure): Lease {
  tenure.leases++;
  let released = false;
  return {
    checkpoint: tenure.checkpoint,
    release() {
      if (released) return;
      released = true;
      tenure.leases--;
      if (tenure.retired && tenure.leases === 0) tenure.end();
    },
  };
}
