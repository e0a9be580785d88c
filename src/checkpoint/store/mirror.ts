import { randomUUID } from 'node:crypto';
import { mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { DuoguardError } from '../../errors.ts';
import { type CheckpointPlaces, locateCheckpoint, publishedDir } from '../places.ts';
import { replaceFile } from '../publish.ts';
import { ACTIVE } from '../resolve.ts';
import { downloadCheckpoint } from './download.ts';
import { lockDownloads } from './download-lock.ts';
import { type MirrorMemory, readMemory, writeMemory } from './mirror-memory.ts';
import type { ObjectStore } from './object-store.ts';
import { collect, readObject } from './read-object.ts';
import { backoffMs } from './retry.ts';
import { parseIndex, STORE_INDEX, type StoreEntry, type StoreIndex } from './store-index.ts';

/** Told of what happened, once per event. */
export interface MirrorObserver {
  polled?(result: 'changed' | 'unchanged' | DuoguardError): void;
  downloaded?(id: string): void;
  /** A download ended without a checkpoint; one that is to blame itself is not tried again soon. */
  failed?(id: string, error: DuoguardError): void;
  received?(bytes: number): void;
  removed?(id: string): void;
  /** A bug: what every other event tells of is foreseen. */
  broke?(error: unknown): void;
}

export interface MirrorOptions {
  readonly store: ObjectStore;
  readonly places: CheckpointPlaces;
  /** Whether what the store names as active is published here. */
  readonly follow: boolean;
  readonly pollMs: number;
  readonly timeoutMs: number;
  readonly maxBytes: number;
  /** How long what was refused is not asked for again, unless by somebody. */
  readonly refusedForMs: number;
  /** The same where a file was missing: it may have been in the middle of an upload. */
  readonly missingForMs: number;
  /** Downloaded checkpoints that are kept, beside those in use. */
  readonly keep: number;
  readonly inUse: () => readonly (string | null | undefined)[];
  readonly observer?: MirrorObserver;
}

/**
 *   poll index.json -> another active one -> download it -> state_dir/models/active.json names it
 *                                                               |
 *                                    the manager follows that pointer, as it follows any publisher's
 */
export interface StoreMirror {
  /** What the index named when it was last read. */
  readonly listed: readonly StoreEntry[];
  readonly downloading: string | undefined;
  /**
   * Calls `use` when the checkpoint is here, at once if it is already, and keeps it until that is over. Throws
   * `checkpoint_not_found`, and what downloading and `use` throw.
   */
  fetch(id: string, use?: () => Promise<void>): Promise<void>;
  /** Reads the index and does what it asks for. Throws when that fails. */
  look(): Promise<void>;
  /** Looks again and again, less often while that fails. */
  start(): void;
  close(): Promise<void>;
}

const MOST_INDEX_BYTES = 4 * 1024 * 1024;
const LONGEST_PAUSE_MS = 300_000;
const RETRY = { attempts: 5, baseMs: 500, maxMs: 15_000 };

export async function createMirror(options: MirrorOptions): Promise<StoreMirror> {
  const { store, places, follow, pollMs, timeoutMs, observer = {} } = options;
  const modelsDir = publishedDir(places);
  const memoryPath = join(places.stateDir, 'store.json');
  const memory: MirrorMemory = await readMemory(memoryPath, store.address);
  const closing = new AbortController();
  const limits = { timeoutMs, signal: closing.signal };
  let index: StoreIndex = { format: 1, active: null, checkpoints: [] };
  let etag: string | undefined;
  let downloading: string | undefined;
  /** The manifest of what was refused, by id, and until when: another one is worth another try. */
  const refused = new Map<string, { readonly manifest: string; readonly until: number }>();
  /** How many calls of `fetch` need a checkpoint, by id. */
  const held = new Map<string, number>();
  /** While a checkpoint is moved away it looks as if it were still here. */
  let removing: Promise<void> | undefined;
  /** Downloads wait for each other. */
  let tail: Promise<unknown> = Promise.resolve();
  let polling: Promise<void> | undefined;

  async function readIndex(): Promise<void> {
    try {
      const result = await readObject(store, STORE_INDEX, { known: etag }, limits, async (answer) => {
        if (answer.kind === 'unchanged') return 'unchanged';
        if (answer.kind === 'missing') throw noIndex();
        index = parseIndex((await collect(STORE_INDEX, answer.body, MOST_INDEX_BYTES)).toString('utf8'));
        etag = answer.etag;
        return 'changed';
      });
      observer.polled?.(result);
    } catch (error) {
      if (error instanceof DuoguardError) observer.polled?.(error);
      throw error;
    }
  }

  async function isHere(id: string): Promise<boolean> {
    return locateCheckpoint(places, id).then(
      () => true,
      () => false,
    );
  }

  function wasRefused({ id, manifest_sha256 }: StoreEntry): boolean {
    const last = refused.get(id);
    return last?.manifest === manifest_sha256 && performance.now() < last.until;
  }

  /** `again` also tries what was refused before. */
  function fetchListed(entry: StoreEntry, again: boolean): Promise<void> {
    const turn = tail.then(async () => {
      if (await isHere(entry.id)) return;
      if (!again && wasRefused(entry)) return;
      await download(entry);
    });
    tail = turn.catch(() => {});
    return turn;
  }

  async function download(entry: StoreEntry): Promise<void> {
    downloading = entry.id;
    try {
      const unlock = await lockDownloads(modelsDir);
      try {
        const received = observer.received ?? (() => {});
        await downloadCheckpoint(entry, {
          store,
          modelsDir,
          limits,
          retry: RETRY,
          maxBytes: options.maxBytes,
          received,
        });
      } finally {
        await unlock();
      }
      refused.delete(entry.id);
      memory.downloaded = [...memory.downloaded.filter((id) => id !== entry.id), entry.id];
      await writeMemory(memoryPath, memory);
      observer.downloaded?.(entry.id);
    } catch (error) {
      if (isRefusal(error)) {
        const isMissing = (error as DuoguardError).code === 'checkpoint_file_missing';
        const until = performance.now() + (isMissing ? options.missingForMs : options.refusedForMs);
        refused.set(entry.id, { manifest: entry.manifest_sha256, until });
      }
      throw noteFailure(entry.id, error);
    } finally {
      downloading = undefined;
    }
  }

  /** Publishes here what the store newly names. */
  async function followActive(): Promise<void> {
    const active = index.checkpoints.find(({ id }) => id === index.active);
    if (!follow || active === undefined || active.id === memory.followed) return;
    await fetchListed(active, false);
    if (!(await isHere(active.id))) return;
    try {
      await mkdir(modelsDir, { recursive: true });
      await replaceFile(join(modelsDir, ACTIVE), `${JSON.stringify({ id: active.id })}\n`);
      memory.followed = active.id;
      await writeMemory(memoryPath, memory);
    } catch (error) {
      throw noteFailure(active.id, error);
    }
  }

  function noteFailure(id: string, error: unknown): unknown {
    const failure = toFailure(error);
    if (failure === undefined) return error;
    if (!closing.signal.aborted) observer.failed?.(id, failure);
    return failure;
  }

  function isIdle(id: string): boolean {
    const inUse = [...options.inUse(), index.active, memory.followed, downloading];
    return !held.has(id) && !inUse.includes(id);
  }

  async function removeOld(): Promise<void> {
    const idle = memory.downloaded.filter(isIdle);
    for (const id of idle.slice(0, Math.max(0, idle.length - options.keep))) {
      // Somebody may have come to need it while another was removed.
      if (!isIdle(id)) continue;
      const aside = join(modelsDir, `.removed-${randomUUID()}`);
      removing = rename(join(modelsDir, id), aside).catch(() => {});
      await removing;
      memory.downloaded = memory.downloaded.filter((other) => other !== id);
      observer.removed?.(id);
      await writeMemory(memoryPath, memory);
      await rm(aside, { recursive: true, force: true });
    }
  }

  async function bringHere(id: string): Promise<void> {
    await removing;
    if (await isHere(id)) return;
    const known = () => index.checkpoints.find((listed) => listed.id === id);
    if (known() === undefined) await readIndex();
    const entry = known();
    if (entry === undefined) throw new DuoguardError('checkpoint_not_found', { details: { field: 'id' } });
    await fetchListed(entry, true);
  }

  async function look(): Promise<void> {
    await readIndex();
    await followActive();
    await removeOld();
  }

  async function poll(): Promise<void> {
    for (let failures = 0; !closing.signal.aborted; ) {
      failures = await look().then(
        () => 0,
        (error) => {
          if (!(error instanceof DuoguardError)) observer.broke?.(error);
          return failures + 1;
        },
      );
      const pause = { baseMs: pollMs, maxMs: Math.max(pollMs, LONGEST_PAUSE_MS) };
      await sleep(backoffMs(failures + 1, pause), undefined, { signal: closing.signal, ref: false }).catch(() => {});
    }
  }

  return {
    get listed() {
      return index.checkpoints;
    },
    get downloading() {
      return downloading;
    },

    async fetch(id, use) {
      held.set(id, (held.get(id) ?? 0) + 1);
      try {
        await bringHere(id);
        await use?.();
      } finally {
        const others = (held.get(id) as number) - 1;
        if (others === 0) held.delete(id);
        else held.set(id, others);
      }
    },

    look,

    start() {
      polling ??= poll();
    },

    async close() {
      closing.abort(new DuoguardError('shutting_down'));
      await polling;
      await tail;
      store.close();
    },
  };
}

/** Errors of the disk are foreseen too: it may be full or read-only. */
function toFailure(error: unknown): DuoguardError | undefined {
  if (error instanceof DuoguardError) return error;
  if (typeof (error as NodeJS.ErrnoException).syscall !== 'string') return undefined;
  return new DuoguardError('state_unwritable', {
    message: `The checkpoint cannot be written to the state directory (${(error as NodeJS.ErrnoException).code}).`,
    cause: error,
  });
}

/** The checkpoint itself is at fault, and will be the next time. */
export function isRefusal(error: unknown): boolean {
  return error instanceof DuoguardError && /^checkpoint_(?!store_unreachable|busy)/.test(error.code);
}

function noIndex(): DuoguardError {
  return new DuoguardError('checkpoint_store_invalid', {
    message: 'The checkpoint store has no index.json; publishing writes it, and `npm run checkpoint-index` does.',
  });
}
