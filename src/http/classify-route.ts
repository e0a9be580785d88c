import { randomUUID } from 'node:crypto';
import type { Verdict } from '../moderation/contract.ts';
import type { Answer } from './answer.ts';
import { parseClassifyRequest } from './classify-request.ts';
import { type Exchange, type Handler, rounded } from './exchange.ts';
import { createJudgingHandler, type JudgingDependencies, MODEL_NAME, verdictHeaders } from './judging.ts';

export function createClassifyHandler(dependencies: JudgingDependencies): Handler {
  return createJudgingHandler(dependencies, async ({ body, exchange, classify }) => {
    const verdict = await classify(parseClassifyRequest(body, dependencies.limits.maxItems));
    return verdictAnswer(verdict, exchange);
  });
}

function verdictAnswer(verdict: Verdict, exchange: Exchange): Answer {
  const { tokenization, queue, inference } = verdict.timing_ms;
  const headers = verdictHeaders(verdict, exchange);
  exchange.answerId = `cls-${randomUUID()}`;
  return {
    status: 200,
    headers,
    body: {
      id: exchange.answerId,
      model: MODEL_NAME,
      checkpoint: verdict.checkpoint,
      policy: exchange.judged?.policy,
      results: verdict.results,
      offset_unit: 'codepoint',
      usage: verdict.usage,
      timing_ms: {
        tokenization: rounded(tokenization),
        queue: rounded(queue),
        inference: rounded(inference),
        total: Number(headers['x-total-time']),
      },
    },
  };
}
