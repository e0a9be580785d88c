import { setTimeout as sleep } from 'node:timers/promises';
import type { CheckpointManager } from './checkpoint/manager.ts';
import type { CheckpointPlaces } from './checkpoint/places.ts';
import type { CheckpointRegistry } from './checkpoint/registry.ts';
import { createMirror, isRefusal, type MirrorObserver, type StoreMirror } from './checkpoint/store/mirror.ts';
import { openStore } from './checkpoint/store/open-store.ts';
import { backoffMs, isTransient } from './checkpoint/store/retry.ts';
import type { Config } from './config/settings.ts';
import { DuoguardError } from './errors.ts';
import type { Trials } from './moderation/trials.ts';
import type { Logger } from './telemetry/logger.ts';
import type { Metrics } from './telemetry/metrics.ts';

export interface ServedStoreDependencies {
  readonly config: Config;
  readonly places: CheckpointPlaces;
  readonly registry: CheckpointRegistry;
  readonly manager: CheckpointManager;
  readonly trials: Pick<Trials, 'current'>;
  readonly metrics: Metrics;
  readonly logger: Logger;
}

export interface ServedStore extends Pick<StoreMirror, 'listed' | 'downloading' | 'fetch' | 'close'> {
  /** Starts with what is here; with nothing that can serve, waits for the store. From then on the store is polled. */
  startManager(): Promise<void>;
}

/** Hardly any upload takes longer, and a download this often costs little. */
const REFUSED_FOR_MS = 600_000;
const MISSING_FOR_MS = 30_000;

/** The remote checkpoint store of one server; undefined when the settings name none. Throws `invalid_config`. */
export async function openServedStore(dependencies: ServedStoreDependencies): Promise<ServedStore | undefined> {
  const { config, places, registry, manager, trials, logger } = dependencies;
  if (config.store_url === undefined) return undefined;
  const store = await openStore({
    url: config.store_url,
    token: config.store_token,
    s3Endpoint: config.store_s3_endpoint,
    redirects: config.store_redirects,
  });
  logger.info({ store: store.address }, 'checkpoint store');
  const mirror = await createMirror({
    store,
    places,
    follow: config.checkpoint === 'active' && config.checkpoint_poll_ms > 0,
    pollMs: config.store_poll_ms,
    timeoutMs: config.store_timeout_ms,
    maxBytes: config.store_max_bytes,
    refusedForMs: REFUSED_FOR_MS,
    missingForMs: MISSING_FOR_MS,
    keep: config.store_keep,
    inUse: () => [registry.active?.id, manager.previous, manager.loading, trials.current?.id],
    observer: observeStore(dependencies),
  });
  const closing = new AbortController();

  async function fetchFirst(): Promise<void> {
    if (config.checkpoint === 'active') await mirror.look();
    else await mirror.fetch(config.checkpoint);
  }

  async function waitForStore(): Promise<void> {
    for (let failures = 1; ; failures++) {
      try {
        return await fetchFirst();
      } catch (error) {
        if (closing.signal.aborted || !isTransient(error)) throw error;
        await sleep(backoffMs(failures, { baseMs: 1000, maxMs: 30_000 }), undefined, { signal: closing.signal });
      }
    }
  }

  return {
    get listed() {
      return mirror.listed;
    },
    get downloading() {
      return mirror.downloading;
    },
    fetch: mirror.fetch,

    async startManager() {
      try {
        await manager.start(config.checkpoint);
      } catch (error) {
        if (!(error instanceof DuoguardError)) throw error;
        await waitForStore();
        await manager.start(config.checkpoint);
      }
      if (!closing.signal.aborted) mirror.start();
    },

    close() {
      closing.abort();
      return mirror.close();
    },
  };
}

function observeStore({ manager, metrics, logger }: ServedStoreDependencies): MirrorObserver {
  return {
    received: metrics.recordStoreBytes,
    polled(result) {
      if (!(result instanceof DuoguardError)) return metrics.recordStorePoll(result);
      metrics.recordStorePoll(result.code);
      // The message speaks of keys of the store, never of its address or a credential.
      logger.warn({ err: result, reason: result.message }, 'the checkpoint store cannot be read');
    },
    downloaded(id) {
      metrics.recordStoreDownload('success');
      logger.info({ checkpoint: id }, 'checkpoint downloaded');
    },
    failed(id, error) {
      metrics.recordStoreDownload(error.code);
      if (isRefusal(error)) manager.refuse(id, error);
      else logger.warn({ checkpoint: id, err: error, reason: error.message }, 'checkpoint not downloaded');
    },
    removed: (id) => logger.info({ checkpoint: id }, 'downloaded checkpoint removed'),
    broke: (error) => logger.error({ err: error }, 'the checkpoint store cannot be looked at'),
  };
}
