import type { ErrorCode } from '../errors.ts';
import type { StageTrace } from '../moderation/contract.ts';
import type { Logger } from './logger.ts';

/** Spans of requests, sent to a collector of OpenTelemetry. */
export interface Tracing {
  /** Undefined when the caller or the sampler decided that this request is not traced. */
  startRequest(request: TracedRequest): RequestTrace | undefined;
  /** Sends what is left. Never rejects, and gives up on a collector that takes longer than a few seconds. */
  close(): Promise<void>;
}

export interface TracedRequest {
  /** The pattern of the route, or `unmatched`: never the path a client sent. */
  readonly route: string;
  readonly method: string;
  readonly requestId: string;
  /** Of `performance.now()`, in milliseconds. */
  readonly startedAt: number;
  /** The header of that name, as it came. */
  readonly traceparent: string | null;
}

export interface RequestTrace extends StageTrace {
  readonly traceId: string;
  end(outcome: RequestOutcome): void;
}

export interface RequestOutcome {
  readonly status: number;
  readonly errorCode?: ErrorCode | undefined;
  /** Of a request that judged something. */
  readonly policy?: string | undefined;
}

export interface TracingOptions {
  /** Base address of a collector that takes OTLP over HTTP, such as `http://localhost:4318`; undefined is no tracing. */
  readonly endpoint: string | undefined;
  readonly version: string;
  readonly logger: Logger;
}

/** Without an endpoint nothing of OpenTelemetry is even loaded. */
export async function openTracing({ endpoint, ...options }: TracingOptions): Promise<Tracing | undefined> {
  if (endpoint === undefined) return undefined;
  const { createOtlpTracing } = await import('./otlp-tracing.ts');
  return createOtlpTracing({ endpoint, ...options });
}
