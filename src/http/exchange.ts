import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Context } from 'hono';
import type { Audit } from '../audit/audit.ts';
import type { TextDigest } from '../audit/text-digest.ts';
import type { DuoguardError, ErrorCode } from '../errors.ts';
import type { Verdict } from '../moderation/contract.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { RequestTrace, Tracing } from '../telemetry/tracing.ts';
import type { Answer } from './answer.ts';
import type { Cors } from './cors.ts';
import { DirectRequest, send } from './direct-request.ts';
import { errorAnswer, type ToErrorAnswer, toDuoguardError } from './error-answer.ts';
import type { Lifecycle } from './lifecycle.ts';
import type { CountRequest } from './rate-limits.ts';
import type { Received } from './received.ts';
import { SECURITY_HEADERS } from './security-headers.ts';

/** One request and what its handler found out about it. */
export interface Exchange {
  readonly request: Received;
  readonly requestId: string;
  /** `performance.now()` at arrival. */
  readonly startedAt: number;
  /** The address at the other end of the connection, if there is one. */
  readonly remoteAddress: string | undefined;
  /** Sent with whatever answer there will be. Lower-case names; those of the answer itself win. */
  readonly answerHeaders: Record<string, string>;
  /** Where the request is traced. */
  readonly trace?: RequestTrace | undefined;
  /** Calls back if the connection ends before the answer is sent. */
  onClientLeft(listener: () => void): void;
  /** Ends the connection of a streamed answer that is over, if its client does not take the rest of it soon. */
  hangUp(): void;
  /** Names the API key of the request, once it is known. */
  keyId?: string;
  /** The id in the body of an answer that has one. */
  answerId?: string;
  /** Set by a handler that judged something, for the metrics, the log and the audit. */
  judged?: Judged;
}

export interface Judged {
  readonly verdict: Verdict;
  readonly policy: string;
  /** One for each result, when there is an audit. */
  readonly texts?: readonly TextDigest[];
  /** Why a stream ended before it was done. */
  readonly cut?: ErrorCode;
}

export type Handler = (exchange: Exchange) => Answer | Promise<Answer>;

/** A handler with all that is done around it, for the two ways in which requests come. */
export interface Observed {
  /** As hono calls it. */
  respond(context: Context): Promise<Response>;
  /** Of the connection itself. The handler must not answer with a stream. Never rejects. */
  answer(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void>;
}

export interface ObserverDependencies {
  readonly metrics: Metrics;
  readonly logger: Logger;
  readonly lifecycle: Lifecycle;
  readonly cors: Cors;
  readonly countRequest: CountRequest;
  readonly audit?: Audit | undefined;
  readonly tracing?: Tracing | undefined;
}

/** What the Node adapter hands to a handler; nothing when the app is called without a port. */
interface Connection {
  readonly incoming?: IncomingMessage;
  readonly outgoing?: ServerResponse;
}

export interface RouteInfo {
  /** The pattern, as metrics and log name it. The path that a client sent goes into neither. */
  readonly route: string;
  /** Probes come every few seconds; their lines are for debugging. */
  readonly logLevel: 'info' | 'debug';
  /** The shape of errors in the format of the route; the native one when left out. */
  readonly toErrorAnswer?: ToErrorAnswer;
}

/** For the line that says why a stream was cut. */
const LAST_WORDS_MS = 3_000;

const SANE_REQUEST_ID = /^[A-Za-z0-9._:-]{1,128}$/;

/**
 * Wraps a handler: request id, errors to answers, one metrics record, one log line. It stands where middleware would,
 * because hono runs a route that has a single handler without composing promises around it.
 */
export function createObserver(dependencies: ObserverDependencies) {
  const { metrics, logger, lifecycle, cors, countRequest, audit, tracing } = dependencies;
  return (info: RouteInfo, handle: Handler): Observed => {
    const { logLevel, toErrorAnswer = errorAnswer } = info;
    const handleRated = logLevel === 'debug' ? handle : rated(handle);

    async function observe(exchange: Exchange): Promise<Answer> {
      metrics.requestStarted();
      lifecycle.requestStarted();
      let answer: Answer;
      let error: DuoguardError | undefined;
      try {
        answer = await handleRated(exchange);
      } catch (thrown) {
        error = toDuoguardError(thrown);
        answer = toErrorAnswer(error, exchange.requestId);
      }
      if (answer.ended === undefined) record(exchange, info, answer.status, error);
      else void answer.ended.then((end) => record(exchange, info, answer.status, end));
      return answer;
    }

    return {
      async respond(context) {
        const exchange = startExchange(context.req.raw, info, connectionOf(context));
        const answer = await observe(exchange);
        return new Response(bodyOf(answer), {
          status: answer.status,
          headers: headersOf(answer, exchange, lifecycle.closing),
        });
      },
      async answer(incoming, outgoing) {
        try {
          const exchange = startExchange(new DirectRequest(incoming), info, { incoming, outgoing });
          const answer = await observe(exchange);
          const body = bodyOf(answer) as string | null;
          send(incoming, outgoing, answer.status, headersOf(answer, exchange, lifecycle.closing), body);
        } catch (error) {
          logger.error({ route: info.route, err: error }, 'an answer could not be sent');
          outgoing.destroy();
        }
      },
    };
  };

  function startExchange(
    request: Received & { readonly signal?: AbortSignal },
    { route, logLevel }: RouteInfo,
    { incoming, outgoing }: Connection,
  ): Exchange {
    const startedAt = performance.now();
    const requestId = requestIdOf(request);
    return {
      request,
      requestId,
      startedAt,
      remoteAddress: incoming?.socket.remoteAddress,
      answerHeaders: { ...SECURITY_HEADERS, ...cors.headersFor(request) },
      trace: logLevel === 'debug' ? undefined : startTrace(request, route, requestId, startedAt),
      onClientLeft: (listener) => whenClientLeaves(request, outgoing, listener),
      hangUp: () => endConnectionSoon(outgoing),
    };
  }

  function startTrace(request: Received, route: string, requestId: string, startedAt: number) {
    if (tracing === undefined) return undefined;
    const traceparent = request.headers.get('traceparent');
    return tracing.startRequest({ route, method: request.method, requestId, startedAt, traceparent });
  }

  /** Not for what is read every few seconds by the machine it runs on, and costs nothing. */
  function rated(handle: Handler): Handler {
    return (exchange) => {
      countRequest(exchange);
      return handle(exchange);
    };
  }

  /** Once for each request, when its answer is complete. */
  function record(exchange: Exchange, { route, logLevel }: RouteInfo, status: number, error?: DuoguardError): void {
    lifecycle.requestEnded();
    if (error?.status === 500) {
      logger.error({ request_id: exchange.requestId, route, err: error }, 'request failed');
    }
    const milliseconds = performance.now() - exchange.startedAt;
    const { judged, trace } = exchange;
    trace?.end({ status, errorCode: error?.code, policy: judged?.policy });
    metrics.recordRequest({
      route,
      method: exchange.request.method,
      status,
      seconds: milliseconds / 1000,
      errorCode: error?.code,
      judged,
    });
    if (logger.isLevelEnabled(logLevel)) {
      logger[logLevel]({
        request_id: exchange.requestId,
        route,
        status,
        duration_ms: rounded(milliseconds),
        error: error?.code,
        ...(trace === undefined ? undefined : { trace_id: trace.traceId }),
        ...(judged === undefined ? undefined : describeVerdict(judged.verdict)),
      });
    }
    if (judged?.texts !== undefined) {
      const { requestId, keyId } = exchange;
      audit?.record({ requestId, route, keyId, ...judged, texts: judged.texts });
    }
  }
}

function connectionOf(context: Context): Connection {
  return (context.env as Connection | undefined) ?? {};
}

/** The connection itself where there is one: the signal of the request says the same, but creating it costs more. */
function whenClientLeaves(
  request: { readonly signal?: AbortSignal },
  outgoing: ServerResponse | undefined,
  listener: () => void,
): void {
  if (outgoing === undefined) request.signal?.addEventListener('abort', listener, { once: true });
  else {
    outgoing.once('close', () => {
      if (!outgoing.writableFinished) listener();
    });
  }
}

/** Closing the stream is not enough: where the socket takes no more, nobody learns of it, and the server cannot close. */
function endConnectionSoon(outgoing: ServerResponse | undefined): void {
  if (outgoing === undefined) return;
  setTimeout(() => {
    if (!outgoing.writableFinished) outgoing.destroy();
  }, LAST_WORDS_MS).unref();
}

function requestIdOf(request: Received): string {
  const given = request.headers.get('x-request-id');
  return given !== null && SANE_REQUEST_ID.test(given) ? given : randomUUID();
}

/** A plain object: both ways write it without building a `Headers` first. */
function headersOf(
  { headers: own, body }: Answer,
  { requestId, answerHeaders }: Exchange,
  closing: boolean,
): Record<string, string> {
  const headers: Record<string, string> = {
    'content-type': typeof body === 'string' ? 'text/plain; charset=utf-8' : 'application/json',
    'x-request-id': requestId,
    ...answerHeaders,
    ...own,
  };
  if (closing) headers['connection'] = 'close';
  return headers;
}

function bodyOf({ body }: Answer): string | ReadableStream | null {
  const isRaw = typeof body === 'string' || body === null || body instanceof ReadableStream;
  return isRaw ? body : JSON.stringify(body);
}

function describeVerdict(verdict: Verdict): Record<string, unknown> {
  let flagged = 0;
  for (const result of verdict.results) if ('flagged' in result && result.flagged) flagged++;
  return {
    checkpoint: verdict.checkpoint,
    items: verdict.results.length,
    flagged,
    tokens: verdict.usage.tokens,
    queue_ms: rounded(verdict.timing_ms.queue),
    inference_ms: rounded(verdict.timing_ms.inference),
  };
}

/** Microseconds are noise. */
export function rounded(milliseconds: number): number {
  return Math.round(milliseconds * 1000) / 1000;
}
