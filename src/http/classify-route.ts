import { randomUUID } from 'node:crypto';
import { DuoguardError } from '../errors.ts';
import type { Classifier, Verdict } from '../moderation/contract.ts';
import type { Answer } from './answer.ts';
import type { Authorize } from './api-keys.ts';
import { readJson } from './body.ts';
import { parseClassifyRequest } from './classify-request.ts';
import { Deadline, deadlineMs } from './deadline.ts';
import { type Exchange, type Handler, rounded } from './exchange.ts';
import type { Lifecycle } from './lifecycle.ts';

export interface Limits {
  readonly maxBodyBytes: number;
  readonly maxItems: number;
  readonly requestTimeoutMs: number;
}

export interface ClassifyDependencies {
  readonly classifier: Classifier;
  readonly authorize: Authorize;
  readonly lifecycle: Lifecycle;
  readonly limits: Limits;
}

const MODEL_NAME = 'duoguard';

export function createClassifyHandler({ classifier, authorize, lifecycle, limits }: ClassifyDependencies): Handler {
  return async (exchange) => {
    requireServing(lifecycle);
    authorize(exchange.request.headers);
    const deadline = new Deadline(deadlineMs(exchange.request.headers, limits.requestTimeoutMs));
    exchange.onClientLeft(() => deadline.fail(new DuoguardError('client_closed')));
    try {
      const body = await readJson(exchange.request, limits.maxBodyBytes, deadline);
      const request = parseClassifyRequest(body, limits.maxItems);
      const verdict = await deadline.limit(classifier.classify({ ...request, signal: deadline.signal }));
      exchange.judged = { verdict, policy: 'default' };
      return verdictAnswer(verdict, exchange);
    } finally {
      deadline.clear();
    }
  };
}

function requireServing(lifecycle: Lifecycle): void {
  if (lifecycle.state === 'starting') throw new DuoguardError('not_ready');
  if (lifecycle.state === 'refusing') throw new DuoguardError('shutting_down');
}

function verdictAnswer(verdict: Verdict, exchange: Exchange): Answer {
  const { tokenization, queue, inference } = verdict.timing_ms;
  const total = rounded(performance.now() - exchange.startedAt);
  return {
    status: 200,
    headers: {
      'x-model-version': verdict.checkpoint,
      'x-total-time': String(total),
      'x-tokenization-time': String(rounded(tokenization)),
      'x-queue-time': String(rounded(queue)),
      'x-inference-time': String(rounded(inference)),
      'x-compute-tokens': String(verdict.usage.tokens),
    },
    body: {
      id: `cls-${randomUUID()}`,
      model: MODEL_NAME,
      checkpoint: verdict.checkpoint,
      policy: 'default',
      results: verdict.results,
      offset_unit: 'codepoint',
      usage: verdict.usage,
      timing_ms: {
        tokenization: rounded(tokenization),
        queue: rounded(queue),
        inference: rounded(inference),
        total,
      },
    },
  };
}
