import { join } from 'node:path';
import { loadCheckpoint } from './checkpoint/load.ts';
import { type CheckpointRegistry, createRegistry } from './checkpoint/registry.ts';
import { resolveActive } from './checkpoint/resolve.ts';
import type { Config } from './config/settings.ts';
import { DuoguardError } from './errors.ts';
import { createAuthorize } from './http/api-keys.ts';
import { type AppDependencies, createApp, createMetricsApp } from './http/app.ts';
import { openKeyring } from './http/keyring.ts';
import { Lifecycle } from './http/lifecycle.ts';
import { readPages } from './http/pages.ts';
import { drain, type ListeningServer, listen } from './http/server.ts';
import type { CheckpointInfo } from './http/status-routes.ts';
import { defaultWorkers } from './inference/cores.ts';
import { createClassifier } from './moderation/classify.ts';
import { createStreamClassifier } from './moderation/stream.ts';
import { countingTokens } from './moderation/token-counter.ts';
import type { Logger } from './telemetry/logger.ts';
import { createMetrics, type Metrics } from './telemetry/metrics.ts';
import { packageRoot } from './version.ts';

export interface RunningServer {
  /** The main port, which the system chose when the setting was 0. */
  readonly port: number;
  readonly metricsPort: number | undefined;
  /** Resolves when the checkpoint serves. Rejects with the reason why it cannot; the ports stay open until `stop`. */
  readonly ready: Promise<void>;
  /** Drains, closes the ports, ends the workers. */
  stop(): Promise<void>;
}

/**
 * Opens the ports first and loads the checkpoint then: meanwhile /livez answers, /readyz says no, and a request gets a
 * typed 503 where a closed port would give its gateway a refused connection.
 */
export async function startServer(config: Config, logger: Logger, version: string): Promise<RunningServer> {
  const metrics = createMetrics();
  const lifecycle = new Lifecycle();
  const registry = createRegistry();
  const keys = openKeyring({ fixed: config.api_keys, file: config.api_keys_file, logger });
  const classifier = createClassifier({ registry });
  const dependencies: AppDependencies = {
    classifier,
    streamClassifier: createStreamClassifier({ classifier, tokenCounter: () => countingTokens(registry) }),
    checkpoint: () => describeCheckpoint(registry),
    lifecycle,
    metrics,
    logger,
    version,
    authorize: createAuthorize(() => keys.current),
    serveMetrics: config.metrics_port === undefined,
    pages: config.playground === 'on' ? readPages(join(packageRoot(), 'web')) : [],
    limits: {
      maxBodyBytes: config.max_body_bytes,
      maxItems: config.max_items,
      requestTimeoutMs: config.request_timeout_ms,
      streamTimeoutMs: config.stream_timeout_ms,
    },
  };
  const main = await listen(createApp(dependencies), config.host, config.port);
  const extra = await listenForMetrics(config, dependencies, main);
  logger.info({ host: config.host, port: main.port, metrics_port: extra?.port }, 'listening');

  const ready = loadMeasured(config, metrics).then(async (checkpoint) => {
    await registry.activate(checkpoint);
    metrics.checkpointServing({ id: checkpoint.id, sha256: checkpoint.modelSha256 });
    metrics.watchQueue(() => {
      const stats = registry.active?.engine.stats();
      return { sequences: stats?.queuedSequences ?? 0, tokens: stats?.queuedTokens ?? 0 };
    });
    lifecycle.ready();
    logger.info({ checkpoint: checkpoint.id }, 'ready');
  });

  return {
    port: main.port,
    metricsPort: extra?.port,
    ready,
    async stop() {
      await drain({
        servers: extra === undefined ? [main] : [main, extra],
        lifecycle,
        delayMs: config.drain_delay_ms,
        timeoutMs: config.drain_timeout_ms,
      });
      await registry.close();
      keys.close();
    },
  };
}

async function listenForMetrics(
  config: Config,
  dependencies: AppDependencies,
  main: ListeningServer,
): Promise<ListeningServer | undefined> {
  if (config.metrics_port === undefined) return undefined;
  try {
    return await listen(createMetricsApp(dependencies), config.host, config.metrics_port);
  } catch (error) {
    await main.close(0);
    throw error;
  }
}

async function loadMeasured(config: Config, metrics: Metrics) {
  const began = performance.now();
  const record = (result: Parameters<Metrics['recordCheckpointLoad']>[0]) =>
    metrics.recordCheckpointLoad(result, (performance.now() - began) / 1000);
  try {
    const checkpoint = await loadCheckpoint(await resolveActive(config.models_dir, config.checkpoint), {
      workers: config.workers === 0 ? defaultWorkers() : config.workers,
      provider: config.provider,
      intraOpThreads: config.intra_op_threads,
      maxBatchTokens: config.max_batch_tokens,
      maxBatchSequences: config.max_batch_requests,
      queue: { maxSequences: config.queue_size, maxTokens: config.queue_tokens },
      observer: { batch: metrics.recordBatch, workerRestarted: metrics.recordWorkerRestart },
    });
    record('success');
    return checkpoint;
  } catch (error) {
    record(error instanceof DuoguardError ? error.code : 'internal_error');
    throw error;
  }
}

function describeCheckpoint(registry: CheckpointRegistry): CheckpointInfo | undefined {
  const active = registry.active;
  if (active === undefined) return undefined;
  const { id, created, thresholds, max_tokens, languages } = active.manifest;
  return { id, created, thresholds, max_tokens, languages };
}
