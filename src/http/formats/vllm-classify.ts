import { randomUUID } from 'node:crypto';
import { STATUS_CODES } from 'node:http';
import { z } from 'zod';
import type { ClassifyItem, ItemVerdict } from '../../moderation/contract.ts';
import { CATEGORIES } from '../../taxonomy.ts';
import { parseWith, wellFormed } from '../classify-request.ts';
import { errorHeaders, type ToErrorAnswer } from '../error-answer.ts';
import { invalidField } from '../invalid-field.ts';
import { createJudgingHandler, MODEL_NAME, verdictHeaders } from '../judging.ts';
import { type Format, requireAllJudged, toItems } from './format.ts';

export const requestSchema = z.object({
  input: z
    .union([z.string(), z.array(z.string())], { error: 'expected a string or an array of strings, not token ids' })
    .nullish(),
  messages: z
    .array(z.object({ role: z.string(), content: z.string() }))
    .refine((messages) => messages.some(({ content }) => content !== ''), 'expected a message with content')
    .nullish(),
});

/** `POST /v1/classify` of vLLM. The probabilities are of independent categories: they do not sum to 1. */
export const vllmClassify: Format = (dependencies) => ({
  toErrorAnswer,
  routes: [
    {
      method: 'POST',
      path: '/v1/classify',
      handle: createJudgingHandler(dependencies, async ({ body, exchange, classify }) => {
        const verdict = await classify({ items: parseItems(body, dependencies.limits.maxItems), longInput: 'window' });
        const { tokens } = verdict.usage;
        exchange.answerId = `classify-${randomUUID().replaceAll('-', '')}`;
        return {
          status: 200,
          headers: verdictHeaders(verdict, exchange),
          body: {
            id: exchange.answerId,
            object: 'list',
            created: Math.floor(Date.now() / 1000),
            model: MODEL_NAME,
            data: requireAllJudged(verdict).map(toData),
            usage: { prompt_tokens: tokens, total_tokens: tokens, completion_tokens: 0, prompt_tokens_details: null },
          },
        };
      }),
    },
  ],
});

function parseItems(body: unknown, maxItems: number): ClassifyItem[] {
  const { input, messages } = parseWith(requestSchema, body, []);
  if (messages != null) {
    return [{ messages: messages.map(({ role, content }) => ({ role, content: wellFormed(content) })) }];
  }
  if (input == null) throw invalidField(['input'], 'is required');
  return toItems(typeof input === 'string' ? [input] : input, 'input', maxItems);
}

function toData({ index, category_scores }: ItemVerdict) {
  const probs = CATEGORIES.map((id) => category_scores[id]);
  return { index, label: CATEGORIES[probs.indexOf(Math.max(...probs))], probs, num_classes: probs.length };
}

/** `code` is the HTTP status, `type` its name. */
const toErrorAnswer: ToErrorAnswer = (error) => {
  const status = error.status === 422 ? 400 : error.status;
  const param = error.details['field'];
  return {
    status,
    headers: errorHeaders(error),
    body: {
      error: {
        message: error.message,
        type: status === 400 ? 'BadRequestError' : (STATUS_CODES[status] ?? 'Client Closed Request'),
        param: typeof param === 'string' ? param : null,
        code: status,
      },
    },
  };
};
