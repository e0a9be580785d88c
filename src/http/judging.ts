import type { Audit } from '../audit/audit.ts';
import type { TextDigest } from '../audit/text-digest.ts';
import { DuoguardError } from '../errors.ts';
import type { RecentTexts } from '../feedback/recent-texts.ts';
import { type Classifier, type ClassifyRequest, DEFAULT_POLICY, type Verdict } from '../moderation/contract.ts';
import type { Answer } from './answer.ts';
import type { ApiKey, Authorize } from './api-keys.ts';
import { readJson } from './body.ts';
import { Deadline, deadlineMs } from './deadline.ts';
import { type Exchange, type Handler, rounded } from './exchange.ts';
import type { Lifecycle } from './lifecycle.ts';
import { type PolicyCatalogue, requireMayOverride, requirePolicy } from './policy-route.ts';

/** The name of the model in every format. */
export const MODEL_NAME = 'duoguard';

export interface Limits {
  readonly maxBodyBytes: number;
  readonly maxItems: number;
  readonly requestTimeoutMs: number;
  /** Longest time for one stream; `requestTimeoutMs` is then the longest wait for its next piece. */
  readonly streamTimeoutMs: number;
}

export interface JudgingDependencies {
  readonly classifier: Classifier;
  readonly policies: PolicyCatalogue;
  readonly authorize: Authorize;
  readonly lifecycle: Lifecycle;
  readonly limits: Limits;
  readonly audit?: Audit | undefined;
  /** When feedback may name a request by its id. */
  readonly recentTexts?: RecentTexts | undefined;
}

/** What a wire format works with: the JSON it was sent, and the way to a verdict. */
export interface Work {
  readonly body: unknown;
  readonly exchange: Exchange;
  /** Judges within the request's deadline and notes the verdict for metrics and log. At most once per request. */
  classify(request: Omit<ClassifyRequest, 'signal'>): Promise<Verdict>;
}

/** What every format that judges does first and last: state, key, deadline, body. `respond` is the format. */
export function createJudgingHandler(
  { classifier, policies, authorize, lifecycle, limits, audit, recentTexts }: JudgingDependencies,
  respond: (work: Work) => Promise<Answer>,
): Handler {
  return async (exchange) => {
    requireServing(lifecycle);
    const key = authorize(exchange.request.headers, 'classify');
    noteKey(exchange, key);
    const deadline = new Deadline(deadlineMs(exchange.request.headers, limits.requestTimeoutMs));
    exchange.onClientLeft(() => deadline.fail(new DuoguardError('client_closed')));
    let judgedRequest: Omit<ClassifyRequest, 'signal'> | undefined;
    try {
      const body = await readJson(exchange.request, limits.maxBodyBytes, deadline);
      const answer = await respond({
        body,
        exchange,
        async classify(request) {
          requireMayOverride(key, request);
          requirePolicy(policies, request.policy);
          const routingKey = exchange.request.headers.get('x-routing-key');
          const routed = routingKey === null ? request : { ...request, routingKey };
          const { trace } = exchange;
          const traced = trace === undefined ? routed : { ...routed, trace };
          const verdict = await deadline.limit(classifier.classify({ ...traced, signal: deadline.signal }));
          judgedRequest = request;
          const texts = audit && { texts: digests(audit, request, verdict) };
          exchange.judged = { verdict, policy: request.policy ?? DEFAULT_POLICY, ...texts };
          return verdict;
        },
      });
      if (recentTexts !== undefined && judgedRequest !== undefined && exchange.judged !== undefined) {
        const { requestId, answerId } = exchange;
        const ids = answerId === undefined ? [requestId] : [requestId, answerId];
        recentTexts.remember(ids, judgedRequest, exchange.judged.verdict);
      }
      return answer;
    } finally {
      deadline.clear();
    }
  };
}

/** With the language that the policy found out, or the request said. */
function digests(
  audit: Audit,
  { items, language }: Omit<ClassifyRequest, 'signal'>,
  { results }: Verdict,
): TextDigest[] {
  return items.map((item, index) => {
    const result = results[index];
    const found = result !== undefined && 'language' in result ? result.language : undefined;
    return audit.digest(item, found ?? language);
  });
}

export function noteKey(exchange: Exchange, key: ApiKey | undefined): void {
  if (key !== undefined) exchange.keyId = key.id;
}

export function requireServing(lifecycle: Lifecycle): void {
  if (lifecycle.state === 'starting') throw new DuoguardError('not_ready');
  requireNotRefusing(lifecycle);
}

export function requireNotRefusing(lifecycle: Lifecycle): void {
  if (lifecycle.state === 'refusing') throw new DuoguardError('shutting_down');
}

/** Which checkpoint judged and how long each stage took, in milliseconds. */
export function verdictHeaders(verdict: Verdict, exchange: Exchange): Record<string, string> {
  const { tokenization, queue, inference } = verdict.timing_ms;
  return {
    'x-model-version': verdict.checkpoint,
    'x-total-time': String(rounded(performance.now() - exchange.startedAt)),
    'x-tokenization-time': String(rounded(tokenization)),
    'x-queue-time': String(rounded(queue)),
    'x-inference-time': String(rounded(inference)),
    'x-compute-tokens': String(verdict.usage.tokens),
  };
}
