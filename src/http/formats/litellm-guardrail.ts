import { z } from 'zod';
import { parseWith } from '../classify-request.ts';
import { errorAnswer, type ToErrorAnswer } from '../error-answer.ts';
import { createJudgingHandler, verdictHeaders } from '../judging.ts';
import { blockReasons, type Format, toItems } from './format.ts';

/** LiteLLM sends null for whatever it has not, and more fields with each version: only these are read. */
export const requestSchema = z.object({
  input_type: z.enum(['request', 'response']),
  texts: z.array(z.string().nullable()).nullish(),
  additional_provider_specific_params: z.object({ policy: z.string().nullish() }).nullish(),
});

/** LiteLLM's generic guardrail. Images, tools and tool calls are not judged. */
export const litellmGuardrail: Format = (dependencies) => ({
  toErrorAnswer,
  routes: [
    {
      method: 'POST',
      path: '/beta/litellm_basic_guardrail_api',
      handle: createJudgingHandler(dependencies, async ({ body, exchange, classify }) => {
        const asked = parseWith(requestSchema, body, []);
        const texts = (asked.texts ?? []).filter((text) => text !== null && text !== '');
        if (texts.length === 0) return { status: 200, body: { action: 'NONE' } };
        const items = toItems(texts as string[], 'texts', dependencies.limits.maxItems);
        const policy = asked.additional_provider_specific_params?.policy;
        const direction = asked.input_type === 'request' ? 'input' : 'output';
        const verdict = await classify({ items, direction, longInput: 'window', ...(policy ? { policy } : {}) });
        const reasons = blockReasons(verdict);
        return {
          status: 200,
          headers: verdictHeaders(verdict, exchange),
          body:
            reasons.length === 0
              ? { action: 'NONE' }
              : { action: 'BLOCKED', blocked_reason: `Blocked by duoguard: ${reasons.join(', ')}` },
        };
      }),
    },
  ],
});

/** LiteLLM takes 502, 503 and 504 for an unreachable guardrail, and then does what it is configured to do without one. */
const toErrorAnswer: ToErrorAnswer = (error, requestId) => {
  const answer = errorAnswer(error, requestId);
  return error.status === 429 || error.status === 500 ? { ...answer, status: 503 } : answer;
};
