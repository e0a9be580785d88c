import { type Attributes, ROOT_CONTEXT, type Span, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import { type ExportResult, ExportResultCode, parseTraceParent } from '@opentelemetry/core';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import { detectResources, envDetector, resourceFromAttributes } from '@opentelemetry/resources';
import { BasicTracerProvider, BatchSpanProcessor, type SpanExporter } from '@opentelemetry/sdk-trace-base';
import type { Verdict } from '../moderation/contract.ts';
import { CATEGORIES } from '../taxonomy.ts';
import type { Logger } from './logger.ts';
import type { RequestTrace, TracedRequest, Tracing, TracingOptions } from './tracing.ts';

const METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']);

/** Longest wait for the collector at the end of the process. */
const CLOSE_TIMEOUT_MS = 5_000;

/**
 *   POST /classify                              SERVER, child of the caller's traceparent
 *     classify                                  one for each window of a stream
 *       prepare | queue | inference | decide    one after the other
 *
 * Names and attributes are our own, the route's or the catalogue's: nothing that a client wrote is in any of them, so
 * neither path, query, host, user agent nor tracestate. Sampling, headers, batch sizes and the name of the service come
 * from the OTEL_ variables that the SDK reads itself. Nothing is registered globally.
 */
export function createOtlpTracing({
  endpoint,
  version,
  logger,
}: TracingOptions & { readonly endpoint: string }): Tracing {
  const exporter = new OTLPTraceExporter({ url: `${endpoint.replace(/\/+$/, '')}/v1/traces` });
  const provider = new BasicTracerProvider({
    resource: resourceFromAttributes({ 'service.name': 'duoguard', 'service.version': version }).merge(
      detectResources({ detectors: [envDetector] }),
    ),
    spanProcessors: [new BatchSpanProcessor(reporting(exporter, logger))],
  });
  const tracer = provider.getTracer('duoguard', version);

  function startSpan(parent: Span, name: string, startTime: number, attributes: Attributes = {}): Span {
    return tracer.startSpan(name, { startTime, attributes }, trace.setSpan(ROOT_CONTEXT, parent));
  }

  function startRequest({ route, method, requestId, startedAt, traceparent }: TracedRequest): RequestTrace | undefined {
    const caller = parseTraceParent(traceparent ?? '');
    const parent = caller === null ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, { ...caller, isRemote: true });
    // One offset for all spans of a request: the clocks drift apart, and children would stick out of their parents.
    const offset = Date.now() - performance.now();
    const span = tracer.startSpan(
      nameOf(method, route),
      {
        kind: SpanKind.SERVER,
        startTime: startedAt + offset,
        attributes: {
          'http.request.method': METHODS.has(method) ? method : '_OTHER',
          ...describeRoute(route),
          'url.scheme': 'http',
          'duoguard.request_id': requestId,
        },
      },
      parent,
    );
    if (!span.isRecording()) return undefined;

    return {
      traceId: span.spanContext().traceId,
      judged(began, verdict) {
        const stages = stagesOf(began + offset, verdict);
        const classify = startSpan(span, 'classify', began + offset, describe(verdict));
        for (const { name, from, to } of stages) startSpan(classify, name, from).end(to);
        classify.end(began + offset + verdict.timing_ms.total);
      },
      end({ status, errorCode, policy }) {
        span.setAttribute('http.response.status_code', status);
        if (policy !== undefined) span.setAttribute('duoguard.policy', policy);
        if (errorCode !== undefined) span.setAttribute('error.type', errorCode);
        // What the client did wrong is no error of the server, as the conventions for HTTP have it.
        if (status >= 500) span.setStatus({ code: SpanStatusCode.ERROR });
        span.end(performance.now() + offset);
      },
    };
  }

  return {
    startRequest,
    async close() {
      const tooLong = new Promise((resolve) => setTimeout(resolve, CLOSE_TIMEOUT_MS).unref());
      // What fails has been reported by the exporter.
      await Promise.race([provider.shutdown().catch(() => {}), tooLong]);
    },
  };
}

function nameOf(method: string, route: string): string {
  const known = METHODS.has(method) ? method : 'HTTP';
  return route === 'unmatched' ? known : `${known} ${route}`;
}

/** The path only where it is the pattern itself. */
function describeRoute(route: string): Attributes {
  if (route === 'unmatched') return {};
  return route.includes(':') ? { 'http.route': route } : { 'http.route': route, 'url.path': route };
}

/** Milliseconds. A verdict from memory alone ran nothing, and has neither queue nor inference. */
function stagesOf(began: number, { timing_ms: { tokenization, queue, inference, total } }: Verdict) {
  const durations =
    inference > 0 ? { prepare: tokenization, queue, inference } : { prepare: tokenization + queue + inference };
  let from = began;
  const stages = Object.entries(durations).map(([name, milliseconds]) => {
    const stage = { name, from, to: from + milliseconds };
    from = stage.to;
    return stage;
  });
  return [...stages, { name: 'decide', from, to: Math.max(from, began + total) }];
}

function describe({ checkpoint, results, usage }: Verdict): Attributes {
  const judged = results.filter((result) => 'flagged' in result);
  return {
    'duoguard.checkpoint': checkpoint,
    'duoguard.items': results.length,
    'duoguard.items_failed': results.length - judged.length,
    'duoguard.items_flagged': judged.filter(({ flagged }) => flagged).length,
    'duoguard.categories': CATEGORIES.filter((id) => judged.some(({ categories }) => categories[id])),
    'duoguard.tokens': usage.tokens,
  };
}

/** Says once that the collector does not take spans, and once that it does again. */
function reporting(exporter: SpanExporter, logger: Logger): SpanExporter {
  let failing = false;
  function report({ code, error }: ExportResult): void {
    const fails = code !== ExportResultCode.SUCCESS;
    if (fails && !failing) logger.warn({ err: error }, 'traces cannot be sent; they are lost until they can');
    if (!fails && failing) logger.info('traces are sent again');
    failing = fails;
  }
  return {
    export(spans, done) {
      exporter.export(spans, (result) => {
        report(result);
        done(result);
      });
    },
    shutdown: () => exporter.shutdown(),
    forceFlush: () => exporter.forceFlush?.() ?? Promise.resolve(),
  };
}
