import { join } from 'node:path';
import { openAudit } from './audit/open-audit.ts';
import { type CheckpointRegistry, createRegistry } from './checkpoint/registry.ts';
import type { Config } from './config/settings.ts';
import { createAuthorize, findKey } from './http/api-keys.ts';
import { type AppDependencies, createApp, createMetricsApp } from './http/app.ts';
import { createCors } from './http/cors.ts';
import { openKeyring } from './http/keyring.ts';
import { Lifecycle } from './http/lifecycle.ts';
import { readPages } from './http/pages.ts';
import { createRateLimits } from './http/rate-limits.ts';
import { drain, type ListeningServer, listen } from './http/server.ts';
import type { CheckpointInfo } from './http/status-routes.ts';
import { createClassifier } from './moderation/classify.ts';
import type { Classifier } from './moderation/contract.ts';
import { createStreamClassifier } from './moderation/stream.ts';
import { holdCheckpoint } from './moderation/stream-tenure.ts';
import { traceStages } from './moderation/traced.ts';
import { openPolicies } from './policy/policies.ts';
import { serveCheckpoints } from './serve-checkpoints.ts';
import { serveFeedback } from './serve-feedback.ts';
import type { Logger } from './telemetry/logger.ts';
import { createMetrics } from './telemetry/metrics.ts';
import { openTracing } from './telemetry/tracing.ts';
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
  const { audit, close: closeAudit } = await openAudit({
    path: config.audit_path,
    key: config.audit_key,
    maxBytes: config.audit_max_bytes,
    maxFiles: config.audit_files,
    language: config.audit_language === 'on',
    onError: (error) => logger.error({ err: error }, 'the audit log cannot be written; its lines wait'),
    onLost: metrics.recordAuditLost,
  });
  const keys = openKeyring({ fixed: config.api_keys, file: config.api_keys_file, logger });
  const policies = openPolicies({
    file: config.policy_file,
    onReload(names) {
      metrics.recordPolicyReload('success');
      logger.info({ policies: names }, 'policies replaced');
    },
    onFailure(error) {
      metrics.recordPolicyReload('failure');
      logger.error({ err: error }, 'policies stay as they were');
    },
  });
  const tracing = await openTracing({ endpoint: config.otlp_endpoint, version, logger });
  const traced = (judging: Classifier) => (tracing === undefined ? judging : traceStages(judging));
  const classifier = createClassifier({ registry, policies });
  const checkpoints = serveCheckpoints(config, registry, policies, metrics, logger);
  const feedback = serveFeedback(config, metrics, logger);
  const dependencies: AppDependencies = {
    ...feedback,
    classifier: traced(checkpoints.withTrials(classifier)),
    streamClassifier: createStreamClassifier({
      begin() {
        const tenure = holdCheckpoint({ registry, policies });
        return { ...tenure, classifier: traced(tenure.classifier) };
      },
    }),
    checkpoint: () => describeCheckpoint(registry),
    checkpoints: checkpoints.admin,
    policies,
    lifecycle,
    metrics,
    logger,
    version,
    audit,
    tracing,
    authorize: createAuthorize(() => keys.current),
    cors: createCors(config.cors_origins),
    countRequest: createRateLimits({
      perKey: config.rate_limit_per_key,
      perAddress: config.rate_limit_per_address,
      trustedProxies: config.trusted_proxies,
      findKey: (headers) => findKey(keys.current, headers),
      onLimited: metrics.recordRateLimited,
    }),
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

  const ready = checkpoints.start().then(() => {
    metrics.watchQueue(() => {
      const stats = registry.active?.engine.stats();
      return { sequences: stats?.queuedSequences ?? 0, tokens: stats?.queuedTokens ?? 0 };
    });
    lifecycle.ready();
    logger.info({ checkpoint: registry.active?.id }, 'ready');
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
      await checkpoints.close();
      keys.close();
      policies.close();
      feedback.recentTexts?.close();
      await feedback.feedback?.close();
      await closeAudit();
      await tracing?.close();
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

function describeCheckpoint(registry: CheckpointRegistry): CheckpointInfo | undefined {
  const active = registry.active;
  if (active === undefined) return undefined;
  const { id, created, thresholds, max_tokens, languages } = active.manifest;
  return { id, created, thresholds, max_tokens, languages };
}
