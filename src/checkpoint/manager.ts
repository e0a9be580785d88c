import { DuoguardError } from '../errors.ts';
import type { Checkpoint } from './checkpoint.ts';
import { type Choice, newsOf, type Pointers, readChoice, readPointers, startOrder, writeChoice } from './choice.ts';
import { type CheckpointPlaces, locateCheckpoint } from './places.ts';
import { readManifest } from './read-manifest.ts';
import type { CheckpointRegistry } from './registry.ts';
import { isCheckpointId, resolveActive } from './resolve.ts';

export type SwapKind = 'start' | 'activate' | 'rollback' | 'follow' | 'promote';

/** Told of what happened, once per event. */
export interface ManagerObserver {
  swapped?(kind: SwapKind, checkpoint: Checkpoint): void;
  /** A checkpoint was refused, by the code that says why; what served keeps serving. */
  refused?(id: string, error: DuoguardError): void;
}

export interface ManagerOptions {
  readonly places: CheckpointPlaces;
  readonly registry: CheckpointRegistry;
  /** Verifies a directory and starts it in fresh workers: `loadCheckpoint`. */
  readonly load: (directory: string) => Promise<Checkpoint>;
  readonly observer?: ManagerObserver;
}

/**
 *   locate -> load in fresh workers, canaries -> write the choice -> move the reference -> old leases run out
 *
 * One change at a time; a second one is refused with `checkpoint_busy`. Whatever a change fails with, the checkpoint
 * that served before it serves after it.
 */
export interface CheckpointManager {
  readonly previous: string | null;
  readonly loading: string | undefined;
  readonly refusals: ReadonlyMap<string, Refusal>;
  /** `active` uses the first of the possible ones that is sound; anything else is what `resolveActive` takes. */
  start(setting: string): Promise<void>;
  /** Resolves once it serves. Throws `checkpoint_*`, `state_unwritable`. */
  activate(id: string, kind?: SwapKind): Promise<void>;
  /** Back to what served before `id`, which must be active. Throws `checkpoint_not_in_use`, `checkpoint_no_previous`. */
  rollback(id: string): Promise<void>;
  /** Activates what a pointer, or another server with the same state directory, newly names. Never rejects because of a checkpoint that is refused. */
  follow(): Promise<void>;
  /** Verifies a checkpoint and starts it without serving it; the caller closes it. */
  loadBeside(id: string): Promise<Checkpoint>;
  /** Notes why a checkpoint must not serve, until it is loaded again. */
  refuse(id: string, error: DuoguardError): void;
  close(): Promise<void>;
}

export interface Refusal {
  readonly code: string;
  readonly message: string;
  /** ISO 8601. */
  readonly at: string;
}

/** Each holds its workers and its model until its last request or stream ends: memory that must have a bound. */
const MOST_DRAINING = 2;

export function createCheckpointManager({ places, registry, load, observer = {} }: ManagerOptions): CheckpointManager {
  const refusals = new Map<string, Refusal>();
  let choice: Choice | undefined;
  /** The file of the choice as this server last wrote or read it. */
  let onDisk: string | undefined;
  let loading: string | undefined;
  let change: Promise<void> | undefined;
  let changes = 0;
  let closed = false;
  const drains = new Set<Promise<void>>();
  /** What was followed to a checkpoint that was refused. */
  let refusedAttempt: string | undefined;

  /** Runs one change, alone, and once there is room for what it replaces. */
  async function exclusively<T>(id: string, work: () => Promise<T>, mostDraining = MOST_DRAINING): Promise<T> {
    if (change !== undefined) throw new DuoguardError('checkpoint_busy');
    const seenChanges = changes;
    // As long as a stream may last. It is no change yet: a rollback goes first, and what it overtook is void.
    while (drains.size >= mostDraining) {
      await Promise.race(drains);
      if (closed) throw new DuoguardError('shutting_down');
      if (changes !== seenChanges) throw new DuoguardError('checkpoint_busy');
    }
    let done = () => {};
    change = new Promise((resolve) => {
      done = resolve;
    });
    changes++;
    loading = id;
    try {
      return await work();
    } finally {
      loading = undefined;
      change = undefined;
      done();
    }
  }

  async function loadNamed(id: string): Promise<Checkpoint> {
    try {
      const { directory } = await locateCheckpoint(places, id);
      await requireName(directory, id);
      const checkpoint = await load(directory);
      refusals.delete(id);
      return checkpoint;
    } catch (error) {
      if (error instanceof DuoguardError) refuse(id, error);
      throw error;
    }
  }

  function refuse(id: string, error: DuoguardError): void {
    // What is no id is whatever somebody sent: not for the log.
    if (!isCheckpointId(id)) return;
    // Ids that exist nowhere come from whoever asks; remembering them would let memory grow.
    if (error.code !== 'checkpoint_not_found') {
      refusals.set(id, { code: error.code, message: error.message, at: new Date().toISOString() });
    }
    observer.refused?.(id, error);
  }

  function moveReference(kind: SwapKind, next: Checkpoint): void {
    const drain: Promise<void> = registry.activate(next).finally(() => drains.delete(drain));
    drains.add(drain);
    observer.swapped?.(kind, next);
  }

  /** `write` is false where the disk says already what is chosen. */
  async function swap(chosen: Choice, kind: SwapKind, write: boolean): Promise<void> {
    const next = await loadNamed(chosen.id);
    if (write) {
      try {
        await writeChoice(places, chosen);
        onDisk = JSON.stringify(chosen);
      } catch (error) {
        // The pointer that is followed says the same: a state directory that cannot be written is no reason to ignore it.
        if (kind !== 'follow') {
          await next.close();
          throw error;
        }
      }
    }
    choice = chosen;
    moveReference(kind, next);
  }

  /** The active one keeps its predecessor when it is loaded again. */
  function previousFor(id: string): string | null {
    const active = registry.active?.id ?? null;
    return active === id ? (choice?.previous ?? null) : active;
  }

  function seenSoFar(): Pointers {
    return choice?.seen ?? { published: null, shipped: null };
  }

  function nextByPointers(pointers: Pointers): Choice | undefined {
    const [id] = newsOf(pointers, choice);
    return id === undefined ? undefined : { id, previous: previousFor(id), seen: pointers };
  }

  async function startActive(): Promise<void> {
    const [known, pointers] = [await readChoice(places), await readPointers(places)];
    onDisk = JSON.stringify(known);
    const order = startOrder(known, pointers);
    if (order.length === 0) await resolveActive(places.shippedDir);
    let firstError: unknown;
    for (const id of order) {
      try {
        const checkpoint = await loadNamed(id);
        const previous = known === undefined || known.id === id ? (known?.previous ?? null) : known.id;
        choice = { id, previous: previous === id ? null : previous, seen: pointers };
        return moveReference('start', checkpoint);
      } catch (error) {
        firstError ??= error;
      }
    }
    throw firstError;
  }

  async function startPinned(setting: string): Promise<void> {
    const place = await locateCheckpoint(places, setting).catch(() => undefined);
    const checkpoint = await load(place?.directory ?? (await resolveActive(places.shippedDir, setting)));
    onDisk = JSON.stringify(await readChoice(places));
    choice = { id: checkpoint.id, previous: null, seen: await readPointers(places) };
    moveReference('start', checkpoint);
  }

  return {
    get previous() {
      return choice?.previous ?? null;
    },
    get loading() {
      return loading;
    },
    refusals,

    start: (setting) => exclusively(setting, () => (setting === 'active' ? startActive() : startPinned(setting))),

    activate: (id, kind = 'activate') =>
      exclusively(id, () => swap({ id, previous: previousFor(id), seen: seenSoFar() }, kind, true)),

    async rollback(id) {
      if (registry.active?.id !== id) throw new DuoguardError('checkpoint_not_in_use');
      const previous = choice?.previous ?? null;
      if (previous === null) throw new DuoguardError('checkpoint_no_previous');
      const back = { id: previous, previous: null, seen: seenSoFar() };
      // Whoever rolls back is in need. There are never two in a row, so this is at most one more.
      await exclusively(previous, () => swap(back, 'rollback', true), MOST_DRAINING + 1);
    },

    async follow() {
      // What a change in progress writes is its own doing. What was read before or during one is out of date after it.
      const seenChanges = changes;
      const outdated = () => change !== undefined || changes !== seenChanges;
      if (outdated()) return;
      const [written, pointers] = [await readChoice(places), await readPointers(places)];
      if (outdated()) return;
      const elsewhere = written !== undefined && JSON.stringify(written) !== onDisk ? written : undefined;
      const wanted = elsewhere ?? nextByPointers(pointers);
      if (wanted === undefined) return;
      if (wanted.id === registry.active?.id) {
        choice = wanted;
        if (elsewhere !== undefined) onDisk = JSON.stringify(elsewhere);
        return;
      }
      const attempt = await fingerprint(places, wanted);
      if (attempt === refusedAttempt || outdated()) return;
      try {
        await exclusively(wanted.id, () => swap(wanted, 'follow', elsewhere === undefined));
        if (elsewhere !== undefined) onDisk = JSON.stringify(elsewhere);
        refusedAttempt = undefined;
      } catch (error) {
        if (!(error instanceof DuoguardError)) throw error;
        // Hashing a refused checkpoint at every look would keep a core busy; a busy manager is asked again.
        if (error.code !== 'checkpoint_busy') refusedAttempt = attempt;
      }
    },

    loadBeside: (id) => exclusively(id, () => loadNamed(id)),
    refuse,

    async close() {
      closed = true;
      await registry.close();
      await change;
      await Promise.all(drains);
    },
  };
}

async function requireName(directory: string, id: string): Promise<void> {
  const named = (await readManifest(directory)).id;
  if (named === id) return;
  throw new DuoguardError('checkpoint_manifest_invalid', { message: `The manifest of ${id} names ${named}.` });
}

/** Changes when another attempt to follow may end differently. */
async function fingerprint(places: CheckpointPlaces, wanted: Choice): Promise<string> {
  const manifest = await locateCheckpoint(places, wanted.id)
    .then(({ directory }) => readManifest(directory))
    .catch((error) => error.code);
  return JSON.stringify([wanted, manifest]);
}
