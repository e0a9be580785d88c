import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import type { DuoguardError } from '../../errors.ts';
import type { ItemVerdict } from '../../moderation/contract.ts';
import { CATEGORIES, type Category } from '../../taxonomy.ts';
import { parseWith } from '../classify-request.ts';
import { errorHeaders, type ToErrorAnswer } from '../error-answer.ts';
import { invalidField } from '../invalid-field.ts';
import { createJudgingHandler, MODEL_NAME, verdictHeaders } from '../judging.ts';
import { type Format, requireAllJudged, toItems } from './format.ts';

/** OpenAI's 13 keys in its order, each with the categories of ours that mean it; a key without any is never true. */
const OPENAI_KEYS: Readonly<Record<string, readonly Category[]>> = {
  harassment: [],
  'harassment/threatening': [],
  sexual: ['child_sexual_exploitation', 'sexual_content'],
  hate: ['hate'],
  'hate/threatening': [],
  illicit: ['non_violent_crimes', 'sex_related_crimes', 'indiscriminate_weapons'],
  'illicit/violent': ['indiscriminate_weapons'],
  'self-harm': ['suicide_self_harm'],
  'self-harm/intent': [],
  'self-harm/instructions': [],
  'sexual/minors': ['child_sexual_exploitation'],
  violence: ['violent_crimes'],
  'violence/graphic': [],
};

/** The 13 keys, then our own categories under their own names. */
const KEYS: readonly (readonly [string, readonly Category[]])[] = Object.entries({
  ...OPENAI_KEYS,
  ...Object.fromEntries(CATEGORIES.map((id) => [id, [id]] as const)),
});

/** In strict mode only what OpenAI knows comes out, and nothing else goes in. */
const STRICT_KEYS = Object.entries(OPENAI_KEYS);

const partSchema = z.object({ type: z.string(), text: z.string().optional() });
/** In strict mode an image is still refused as an image, and not for its fields. */
const strictPartSchema = partSchema.extend({ image_url: z.unknown().optional() }).strict();
export const requestSchema = z.object({
  model: z.string().nullish(),
  input: z.union([z.string(), z.array(z.union([z.string(), partSchema]))], {
    error: 'expected a string, an array of strings or an array of text parts',
  }),
});

const strictRequestSchema = requestSchema.strict().extend({
  input: z.union([z.string(), z.array(z.union([z.string(), strictPartSchema]))], {
    error: 'expected a string, an array of strings or an array of text parts without unknown fields',
  }),
});

/** `POST /v1/moderations` as OpenAI's clients call it. */
export const openaiModerations: Format = (dependencies) => ({
  toErrorAnswer,
  routes: [
    {
      method: 'POST',
      path: '/v1/moderations',
      handle: createJudgingHandler(dependencies, async ({ body, exchange, classify }) => {
        const strict = new URL(exchange.request.url).searchParams.get('strict') === 'true';
        const { input } = parseWith(strict ? strictRequestSchema : requestSchema, body, []);
        const items = toItems(toTexts(input), 'input', dependencies.limits.maxItems);
        const verdict = await classify({ items, longInput: 'window' });
        const keys = strict ? STRICT_KEYS : KEYS;
        exchange.answerId = `modr-${randomUUID()}`;
        const results = requireAllJudged(verdict).map((item) => toResult(item, keys));
        return {
          status: 200,
          headers: verdictHeaders(verdict, exchange),
          body: { id: exchange.answerId, model: MODEL_NAME, results },
        };
      }),
    },
  ],
});

type Input = z.infer<typeof requestSchema>['input'];

/** One text per string; parts are one message together. */
function toTexts(input: Input): string[] {
  if (typeof input === 'string') return [input];
  if (input.every((entry) => typeof entry === 'string')) return input;
  const texts = input.map((part, index) => {
    if (typeof part === 'string') throw invalidField(['input', index], 'expected a part like the others');
    if (part.type === 'image_url') throw invalidField(['input', index], 'images are not supported');
    if (part.type !== 'text') throw invalidField(['input', index, 'type'], 'expected text');
    if (part.text === undefined) throw invalidField(['input', index, 'text'], 'is required');
    return part.text;
  });
  return [texts.join('\n')];
}

function toResult(item: ItemVerdict, keys: typeof KEYS) {
  return {
    flagged: item.flagged,
    categories: Object.fromEntries(keys.map(([key, ours]) => [key, ours.some((id) => item.categories[id])])),
    category_scores: Object.fromEntries(
      keys.map(([key, ours]) => [key, Math.max(0, ...ours.map((id) => item.category_scores[id]))]),
    ),
    category_applied_input_types: Object.fromEntries(
      keys.map(([key, ours]) => [key, ours.length === 0 ? [] : ['text']]),
    ),
  };
}

const toErrorAnswer: ToErrorAnswer = (error) => {
  const param = error.details['field'];
  return {
    status: error.status === 422 ? 400 : error.status,
    headers: errorHeaders(error),
    body: {
      error: {
        message: error.message,
        type: errorType(error),
        param: typeof param === 'string' ? param : null,
        code: error.code === 'unauthorized' ? 'invalid_api_key' : error.code,
      },
    },
  };
};

function errorType({ status }: DuoguardError): string {
  if (status === 429) return 'rate_limit_error';
  return status >= 500 ? 'server_error' : 'invalid_request_error';
}
