import { type FSWatcher, watch } from 'node:fs';

export interface WatchOptions {
  readonly directories: readonly string[];
  /** How often is looked even without an event: network file systems send none. */
  readonly intervalMs: number;
  /** Runs once at a time. */
  readonly look: () => Promise<void>;
  readonly onError: (error: unknown) => void;
}

/** A publish is several events; one look after the last of them is enough, and a pause of this length is not noticed. */
const SETTLE_MS = 50;

/** Looks soon after something changed in one of the directories, and at every interval. */
export function watchCheckpoints({ directories, intervalMs, look, onError }: WatchOptions) {
  const watchers = new Map<string, FSWatcher>();
  let settling: NodeJS.Timeout | undefined;
  let looking: Promise<void> | undefined;
  let again = false;
  let closed = false;

  /** A directory may come into being later, and one that was replaced needs a new watcher. */
  function openWatchers(): void {
    for (const directory of directories) {
      if (watchers.has(directory)) continue;
      try {
        const watcher = watch(directory, { persistent: false }, (event, name) => {
          if (event === 'rename' && name === null) forget(directory);
          soon();
        });
        watcher.once('error', () => forget(directory));
        watchers.set(directory, watcher);
      } catch {
        // It does not exist or cannot be watched: polling looks at it all the same.
      }
    }
  }

  function forget(directory: string): void {
    watchers.get(directory)?.close();
    watchers.delete(directory);
  }

  function soon(): void {
    clearTimeout(settling);
    if (!closed) settling = setTimeout(run, SETTLE_MS).unref();
  }

  function run(): void {
    if (closed) return;
    if (looking !== undefined) {
      again = true;
      return;
    }
    looking = look()
      .catch(onError)
      .finally(() => {
        looking = undefined;
        if (again) soon();
        again = false;
      });
  }

  const interval = setInterval(() => {
    openWatchers();
    run();
  }, intervalMs).unref();
  openWatchers();
  soon();

  return {
    async close(): Promise<void> {
      closed = true;
      clearInterval(interval);
      clearTimeout(settling);
      for (const directory of [...watchers.keys()]) forget(directory);
      await looking;
    },
  };
}
