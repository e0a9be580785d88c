import { DuoguardError } from '../errors.ts';
import { CATEGORIES, type PerCategory } from '../taxonomy.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { Authorize } from './api-keys.ts';
import type { Handler } from './exchange.ts';
import type { Limits } from './judging.ts';
import type { Lifecycle } from './lifecycle.ts';

/** What `/info` tells about the checkpoint that serves. */
export interface CheckpointInfo {
  readonly id: string;
  readonly created: string;
  readonly thresholds: PerCategory<number>;
  readonly max_tokens: number;
  readonly languages: readonly string[];
}

/** The process runs and its event loop turns. Restarting it would help only when this does not answer. */
export const livez: Handler = () => ({ status: 200, body: { status: 'alive' } });

/** Throws `not_ready` until the model is warm and `shutting_down` from the first signal on. */
export function createReadyz(lifecycle: Lifecycle): Handler {
  return () => {
    if (lifecycle.state === 'starting') throw new DuoguardError('not_ready');
    if (lifecycle.closing) throw new DuoguardError('shutting_down');
    return { status: 200, body: { status: 'ready' } };
  };
}

/** @param authorize left out on a port that is not public, where the metrics need no key. */
export function createMetricsHandler(metrics: Metrics, authorize?: Authorize): Handler {
  return async ({ request }) => {
    authorize?.(request.headers, 'metrics');
    return { status: 200, headers: { 'content-type': metrics.contentType }, body: await metrics.render() };
  };
}

export interface InfoDependencies {
  readonly version: string;
  readonly limits: Limits;
  /** Undefined until a checkpoint serves. */
  readonly checkpoint: () => CheckpointInfo | undefined;
}

export function createInfo({ version, limits, checkpoint }: InfoDependencies): Handler {
  return () => ({
    status: 200,
    body: {
      name: 'duoguard',
      version,
      labels: CATEGORIES,
      checkpoint: checkpoint() ?? null,
      limits: {
        max_body_bytes: limits.maxBodyBytes,
        max_items: limits.maxItems,
        request_timeout_ms: limits.requestTimeoutMs,
      },
    },
  });
}
