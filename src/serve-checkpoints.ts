import { listCheckpoints } from './checkpoint/catalogue.ts';
import { loadCheckpoint } from './checkpoint/load.ts';
import { createCheckpointManager } from './checkpoint/manager.ts';
import { type CheckpointPlaces, publishedDir } from './checkpoint/places.ts';
import type { CheckpointRegistry } from './checkpoint/registry.ts';
import { watchCheckpoints } from './checkpoint/watch.ts';
import type { Config } from './config/settings.ts';
import { DuoguardError } from './errors.ts';
import type { CheckpointAdmin } from './http/checkpoint-routes.ts';
import { cacheScores } from './inference/cached-engine.ts';
import { defaultWorkers } from './inference/cores.ts';
import type { Logger } from './telemetry/logger.ts';
import type { Metrics } from './telemetry/metrics.ts';

export interface ServedCheckpoints {
  readonly admin: CheckpointAdmin;
  /** Resolves when a checkpoint serves; from then on the pointers are followed, if that is what the settings say. */
  start(): Promise<void>;
  close(): Promise<void>;
}

/** The checkpoints of one server: which serves, how it is replaced, and what the log and the metrics learn of it. */
export function serveCheckpoints(
  config: Config,
  registry: CheckpointRegistry,
  metrics: Metrics,
  logger: Logger,
): ServedCheckpoints {
  const places: CheckpointPlaces = { shippedDir: config.models_dir, stateDir: config.state_dir };
  const manager = createCheckpointManager({
    places,
    registry,
    load: (directory) => loadMeasured(directory, config, metrics),
    observer: {
      swapped(kind, { id, modelSha256 }) {
        metrics.checkpointServing({ id, sha256: modelSha256 });
        metrics.recordCheckpointSwap(kind);
        logger.info({ checkpoint: id, kind }, 'checkpoint serves');
      },
      // The message speaks of files of the checkpoint, never of a text.
      refused: (id, error) => logger.error({ checkpoint: id, err: error, reason: error.message }, 'checkpoint refused'),
    },
  });
  let watcher: ReturnType<typeof watchCheckpoints> | undefined;

  return {
    admin: {
      async list() {
        const catalogue = { places, manager, active: () => registry.active, trial: () => undefined };
        return { active: registry.active?.id ?? null, checkpoints: await listCheckpoints(catalogue) };
      },
      activate: (id) => manager.activate(id),
      rollback: (id) => manager.rollback(id),
    },

    async start() {
      await manager.start(config.checkpoint);
      if (config.checkpoint !== 'active' || config.checkpoint_poll_ms === 0) return;
      watcher = watchCheckpoints({
        directories: [places.shippedDir, places.stateDir, publishedDir(places)],
        intervalMs: config.checkpoint_poll_ms,
        look: manager.follow,
        onError: (error) => logger.error({ err: error }, 'the checkpoints cannot be looked at'),
      });
    },

    async close() {
      await watcher?.close();
      await manager.close();
    },
  };
}

async function loadMeasured(directory: string, config: Config, metrics: Metrics) {
  const began = performance.now();
  const record = (result: Parameters<Metrics['recordCheckpointLoad']>[0]) =>
    metrics.recordCheckpointLoad(result, (performance.now() - began) / 1000);
  try {
    const checkpoint = await loadCheckpoint(directory, {
      workers: config.workers === 0 ? defaultWorkers() : config.workers,
      provider: config.provider,
      intraOpThreads: config.intra_op_threads,
      maxBatchTokens: config.max_batch_tokens,
      maxBatchSequences: config.max_batch_requests,
      queue: { maxSequences: config.queue_size, maxTokens: config.queue_tokens },
      observer: { batch: metrics.recordBatch, workerRestarted: metrics.recordWorkerRestart },
    });
    record('success');
    if (config.cache_size === 0) return checkpoint;
    // Only now: a remembered canary would say nothing about the second worker.
    const engine = cacheScores(checkpoint.engine, { size: config.cache_size, onLookup: metrics.recordCacheLookup });
    return { ...checkpoint, engine };
  } catch (error) {
    record(error instanceof DuoguardError ? error.code : 'internal_error');
    throw error;
  }
}
