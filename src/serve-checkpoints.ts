import { listCheckpoints } from './checkpoint/catalogue.ts';
import { loadCheckpoint } from './checkpoint/load.ts';
import { type CheckpointManager, createCheckpointManager } from './checkpoint/manager.ts';
import { type CheckpointPlaces, publishedDir } from './checkpoint/places.ts';
import type { CheckpointRegistry } from './checkpoint/registry.ts';
import { watchCheckpoints } from './checkpoint/watch.ts';
import type { Config } from './config/settings.ts';
import { DuoguardError } from './errors.ts';
import type { CheckpointAdmin } from './http/checkpoint-routes.ts';
import { cacheScores } from './inference/cached-engine.ts';
import { defaultWorkers } from './inference/cores.ts';
import type { Classifier } from './moderation/contract.ts';
import { createLongTexts } from './moderation/long-text-thread.ts';
import { createTrialClassifier } from './moderation/trial.ts';
import { createTrials, type Trials } from './moderation/trials.ts';
import type { Policies } from './policy/policies.ts';
import { openServedStore, type ServedStore } from './serve-store.ts';
import type { Logger } from './telemetry/logger.ts';
import type { Metrics } from './telemetry/metrics.ts';

export interface ServedCheckpoints {
  readonly admin: CheckpointAdmin;
  /** Lets a candidate that is on trial take part in what `serving` judges. */
  withTrials(serving: Classifier): Classifier;
  /** Resolves when a checkpoint serves; from then on the pointers are followed, if that is what the settings say. */
  start(): Promise<void>;
  close(): Promise<void>;
}

/** The checkpoints of one server: which serves, how it is replaced, and what the log and the metrics learn of it. */
export function serveCheckpoints(
  config: Config,
  registry: CheckpointRegistry,
  policies: Policies,
  metrics: Metrics,
  logger: Logger,
): ServedCheckpoints {
  const places: CheckpointPlaces = { shippedDir: config.models_dir, stateDir: config.state_dir };
  const manager = createCheckpointManager({
    places,
    registry,
    load: (directory) => loadMeasured(directory, config, metrics, registry.active !== undefined),
    observer: {
      swapped(kind, { id, modelSha256 }) {
        // A candidate was compared with what no longer serves.
        trials.stop();
        metrics.checkpointServing({ id, sha256: modelSha256 });
        metrics.recordCheckpointSwap(kind);
        logger.info({ checkpoint: id, kind }, 'checkpoint serves');
      },
      // The message speaks of files of the checkpoint, never of a text.
      refused: (id, error) => logger.error({ checkpoint: id, err: error, reason: error.message }, 'checkpoint refused'),
    },
  });
  const trials = startTrials(config, manager, policies, metrics, logger);
  let store: ServedStore | undefined;
  let watcher: ReturnType<typeof watchCheckpoints> | undefined;

  /** What only the store has is fetched first, and stays until `use` has loaded it. */
  const fetched = (id: string, use: () => Promise<void>) => (store === undefined ? use() : store.fetch(id, use));

  async function startTrial(id: string, kind: 'shadow' | 'canary', share = config.trial_share_percent / 100) {
    if (registry.active?.id === id) {
      throw new DuoguardError('checkpoint_busy', { message: 'The checkpoint serves already.' });
    }
    await fetched(id, () => trials.start(id, kind, share));
    logger.info({ checkpoint: id, kind, share }, 'checkpoint on trial');
  }

  return {
    admin: {
      async list() {
        const catalogue = { places, manager, active: () => registry.active, trial: () => trials.current, store };
        return {
          active: registry.active?.id ?? null,
          trial: describeTrial(trials),
          checkpoints: await listCheckpoints(catalogue),
        };
      },
      activate: (id) => fetched(id, () => manager.activate(id)),
      async rollback(id) {
        if (!trials.stop(id)) await manager.rollback(id);
      },
      shadow: (id, share) => startTrial(id, 'shadow', share),
      canary: (id, share) => startTrial(id, 'canary', share),
    },

    withTrials: (serving) =>
      createTrialClassifier({
        serving,
        trial: () => trials.current,
        compared: metrics.recordShadowComparison,
        changed: trials.judge,
      }),

    async start() {
      store = await openServedStore({ config, places, registry, manager, trials, metrics, logger });
      await (store === undefined ? manager.start(config.checkpoint) : store.startManager());
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
      await store?.close();
      await trials.close();
      await manager.close();
    },
  };
}

function startTrials(
  config: Config,
  manager: CheckpointManager,
  policies: Policies,
  metrics: Metrics,
  logger: Logger,
): Trials {
  return createTrials({
    loadBeside: manager.loadBeside,
    policies,
    rule: {
      items: config.canary_items,
      maxDisagreement: config.canary_max_disagreement_percent / 100,
      maxErrors: config.canary_max_errors_percent / 100,
      maxSlowdown: config.canary_max_inference_percent / 100,
    },
    async promote({ id, figures }) {
      logger.info({ checkpoint: id, figures }, 'canary passed');
      // It is verified once more, and what it fails with is in the log already.
      await manager.activate(id, 'promote').catch(() => {});
    },
    failed({ id, figures }, error) {
      metrics.recordCheckpointSwap('canary_rollback');
      logger.warn({ checkpoint: id, figures }, 'canary rolled back');
      manager.refuse(id, error);
    },
  });
}

function describeTrial({ current }: Trials) {
  if (current === undefined) return null;
  const { id, kind, share, figures } = current;
  return {
    id,
    kind,
    share_percent: share * 100,
    requests: figures.requests,
    errors: figures.errors,
    items_compared: figures.compared,
    items_disagreed: figures.disagreed,
    inference_ratio: figures.servingMs === 0 ? null : figures.candidateMs / figures.servingMs,
  };
}

async function loadMeasured(directory: string, config: Config, metrics: Metrics, background: boolean) {
  const began = performance.now();
  const record = (result: Parameters<Metrics['recordCheckpointLoad']>[0]) =>
    metrics.recordCheckpointLoad(result, (performance.now() - began) / 1000);
  try {
    const checkpoint = await loadCheckpoint(directory, {
      background,
      workers: config.workers === 0 ? defaultWorkers() : config.workers,
      provider: config.provider,
      intraOpThreads: config.intra_op_threads,
      maxBatchTokens: config.max_batch_tokens,
      maxBatchSequences: config.max_batch_requests,
      queue: { maxSequences: config.queue_size, maxTokens: config.queue_tokens },
      longTexts: createLongTexts,
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
