import { DuoguardError } from '../errors.ts';
import type { StoredFeedback } from '../feedback/entry.ts';
import type { FeedbackService } from '../feedback/feedback-service.ts';
import type { RecentTexts } from '../feedback/recent-texts.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { Authorize, Scope } from './api-keys.ts';
import { readJson } from './body.ts';
import { Deadline, deadlineMs } from './deadline.ts';
import type { Exchange, Handler } from './exchange.ts';
import { exportAnswer } from './feedback-export.ts';
import { idempotencyKeyOf, parseFeedback } from './feedback-request.ts';
import type { FormatRoute } from './formats/format.ts';
import { invalidField } from './invalid-field.ts';
import { type Limits, noteKey, requireNotRefusing } from './judging.ts';
import type { Lifecycle } from './lifecycle.ts';
import type { Received } from './received.ts';

export interface FeedbackDependencies {
  /** Undefined when it is off. */
  readonly feedback?: FeedbackService | undefined;
  readonly recentTexts?: RecentTexts | undefined;
  readonly authorize: Authorize;
  readonly lifecycle: Lifecycle;
  readonly limits: Limits;
  readonly metrics: Metrics;
  readonly logger: Logger;
}

/** Whatever the server takes elsewhere: the longest text is far below it. */
const MAX_BODY_BYTES = 524_288;
const MAX_LISTED = 200;
const DEFAULT_LISTED = 50;
const FEEDBACK_ID = /^fb-[0-9a-f]{28}$/;

/** Everybody with the scope `feedback` or `classify` may say what was wrong; reading and deleting it is for admins. */
export function createFeedbackRoutes(dependencies: FeedbackDependencies): FormatRoute[] {
  const { feedback, recentTexts, authorize, lifecycle, limits, metrics } = dependencies;

  /** State, key, whether it is on, deadline. */
  function guarded(
    scopes: readonly [Scope, ...Scope[]],
    handle: (service: FeedbackService, exchange: Exchange, deadline: Deadline) => Promise<Awaited<ReturnType<Handler>>>,
  ): Handler {
    return async (exchange) => {
      requireNotRefusing(lifecycle);
      noteKey(exchange, authorize(exchange.request.headers, ...scopes));
      if (feedback === undefined) throw new DuoguardError('feedback_off');
      const deadline = new Deadline(deadlineMs(exchange.request.headers, limits.requestTimeoutMs));
      exchange.onClientLeft(() => deadline.fail(new DuoguardError('client_closed')));
      try {
        return await handle(feedback, exchange, deadline);
      } finally {
        deadline.clear();
      }
    };
  }

  const post = guarded(['feedback', 'classify'], async (service, exchange, deadline) => {
    const { request, keyId } = exchange;
    const idempotencyKey = idempotencyKeyOf(request.headers, keyId);
    const body = await readJson(request, Math.min(limits.maxBodyBytes, MAX_BODY_BYTES), deadline);
    const given = parseFeedback(body, (id) => recentTexts?.find(id));
    const { id, created } = await deadline.limit(service.add(given, idempotencyKey));
    metrics.recordFeedback(created ? (given.unsafe ? 'unsafe' : 'safe') : 'duplicate');
    return { status: 200, body: { id, created, text_known: given.text !== null } };
  });

  const list = guarded(['admin'], async (service, { request }, deadline) => {
    const { limit, before } = askedPage(new URL(request.url).searchParams);
    const found = await deadline.limit(service.list(limit, before));
    const next = found.length < limit ? null : (found.at(-1)?.id ?? null);
    return { status: 200, body: { feedback: found.map(toListed), next } };
  });

  const remove = guarded(['admin'], async (service, { request }, deadline) => {
    const deleted = await deadline.limit(service.remove(askedId(request)));
    if (deleted === 0) throw new DuoguardError('feedback_not_found');
    metrics.recordFeedbackDeleted('request', deleted);
    return { status: 200, body: { deleted } };
  });

  const exported = guarded(['admin'], (service, exchange, deadline) =>
    exportAnswer(service, exchange, deadline, dependencies),
  );

  return [
    { method: 'POST', path: '/v1/feedback', handle: post },
    { method: 'GET', path: '/v1/feedback', handle: list },
    { method: 'GET', path: '/v1/feedback/export', handle: exported },
    { method: 'DELETE', path: '/v1/feedback/:id', handle: remove },
  ];
}

/** Still percent-encoded: no id has a character that needs it. */
function askedId(request: Received): string {
  return new URL(request.url).pathname.split('/')[3] ?? '';
}

function askedPage(query: URLSearchParams): { limit: number; before: string | undefined } {
  const limit = Number(query.get('limit') ?? DEFAULT_LISTED);
  if (!Number.isInteger(limit) || limit < 1 || limit > MAX_LISTED) {
    throw invalidField(['limit'], `expected a whole number from 1 to ${MAX_LISTED}`);
  }
  const before = query.get('before') ?? undefined;
  if (before !== undefined && !FEEDBACK_ID.test(before)) throw invalidField(['before'], 'expected an id of feedback');
  return { limit, before };
}

function toListed({ createdAt, verdictId, item, ...rest }: StoredFeedback) {
  const { id, ...label } = rest;
  return { id, created_at: createdAt, verdict_id: verdictId, index: item, ...label };
}
