import { z } from 'zod';
import { CATEGORIES, type PerCategory, perCategory } from '../../taxonomy.ts';
import { classifyBodySchema, conversationSchema, pairSchema } from '../classify-request.ts';
import { feedbackBodySchema } from '../feedback-request.ts';
import { promptSchema, responseSchema } from '../formats/agentgateway.ts';
import { requestSchema as kserveRequest } from '../formats/kserve.ts';
import { indexSchema as kserveIndex, versionSchema as kserveVersion } from '../formats/kserve-repository.ts';
import { requestSchema as litellmRequest } from '../formats/litellm-guardrail.ts';
import { requestSchema as moderationsRequest } from '../formats/openai-moderations.ts';
import { requestSchema as teiRequest } from '../formats/tei-predict.ts';
import { requestSchema as vllmRequest } from '../formats/vllm-classify.ts';

/** Requests are described by the schemas that validate them; answers by schemas that tests hold real answers against. */

const perCategorySchema = <T extends z.ZodType>(schema: T) => z.object(perCategory(() => schema) as PerCategory<T>);

const probability = z.number().min(0).max(1);
const itemSchema = z.union([z.string().min(1), conversationSchema, pairSchema]);

/** As `parseClassifyRequest` reads it: the envelope, with each shape of its input. */
const classifyRequest = classifyBodySchema.extend({ input: z.union([itemSchema, z.array(itemSchema).min(1)]) });

const spanSchema = z.object({
  start: z
    .int()
    .min(0)
    .describe('In code points of the input; messages, or prompt and response, joined by a line end.'),
  end: z.int().min(1).describe('The first code point after it.'),
  category: z.enum(CATEGORIES),
  score: probability.describe('How much the decision rests on it, against the strongest one.'),
  view: z.string(),
  window: z.int().min(0),
});

const itemVerdict = z.object({
  index: z.int().min(0),
  flagged: z.boolean(),
  action: z.enum(['allow', 'flag', 'block']).describe('What the policy asks for.'),
  score: probability.describe('The highest score, scaled so that 0.5 is its threshold.'),
  categories: perCategorySchema(z.boolean()).describe('Which categories passed their thresholds.'),
  category_scores: perCategorySchema(probability),
  top_category: z.enum(CATEGORIES),
  severity: z.enum(['none', 'low', 'medium', 'high']).optional().describe('When the policy has bands.'),
  denied_phrase: z
    .int()
    .min(0)
    .optional()
    .describe('Number of the denied phrase of the policy that the text contains.'),
  language: z.string().optional().describe('When the policy has conditions on it, and it can be told.'),
  tokens: z.int().min(0),
  windows: z.int().min(1),
  views: z
    .array(z.object({ view: z.string(), flagged: z.boolean(), score: probability }))
    .optional()
    .describe('The readings of a disguised text that were scored.'),
  spans: z.array(spanSchema).optional().describe('With `explain`: the words that decided.'),
});

const itemFailure = z.object({
  index: z.int().min(0),
  error: z.object({ code: z.string(), message: z.string() }),
  action: z.enum(['allow', 'block']).optional().describe('What the policy asks for when a text cannot be judged.'),
});

export const classifyAnswer = z.object({
  id: z.string(),
  model: z.string(),
  checkpoint: z.string(),
  policy: z.string(),
  results: z.array(z.union([itemVerdict, itemFailure])).describe('One for each input, in order.'),
  offset_unit: z.literal('codepoint'),
  usage: z.object({ tokens: z.int().min(0) }),
  timing_ms: z.object({
    tokenization: z.number(),
    queue: z.number(),
    inference: z.number(),
    total: z.number(),
  }),
});

export const errorBody = z.object({
  error: z.object({
    code: z.string().describe('Stable; clients may switch on it.'),
    message: z.string(),
    param: z.string().optional().describe('The field that is wrong.'),
    request_id: z.string(),
    doc: z.string(),
  }),
});

export const feedbackAnswer = z.object({
  id: z.string().describe('Of the feedback.'),
  created: z.boolean().describe('False when the same was said before.'),
  text_known: z.boolean().describe('Without its text it cannot be trained on.'),
});

export const feedbackPage = z.object({
  feedback: z.array(
    z.object({
      id: z.string(),
      created_at: z.iso.datetime(),
      verdict_id: z.string().nullable(),
      index: z.int().min(0),
      text: z.string().nullable(),
      kind: z.string(),
      lang: z.string().nullable(),
      unsafe: z.boolean(),
      categories: z.array(z.enum(CATEGORIES)),
      checkpoint: z.string().nullable(),
      scores: z.record(z.string(), probability).nullable(),
      note: z.string().nullable(),
    }),
  ),
  next: z.string().nullable().describe('For `before` of the next page.'),
});

const NAMED = {
  ClassifyRequest: classifyRequest,
  Conversation: conversationSchema,
  PromptAndResponse: pairSchema,
  ClassifyAnswer: classifyAnswer,
  ItemVerdict: itemVerdict,
  ItemFailure: itemFailure,
  Span: spanSchema,
  Error: errorBody,
  ModerationsRequest: moderationsRequest,
  LitellmGuardrailRequest: litellmRequest,
  KserveInferRequest: kserveRequest,
  KserveIndexRequest: kserveIndex,
  KserveVersionRequest: kserveVersion,
  VllmClassifyRequest: vllmRequest,
  TeiPredictRequest: teiRequest,
  AgentgatewayPrompt: promptSchema,
  AgentgatewayResponse: responseSchema,
  FeedbackRequest: feedbackBodySchema,
  FeedbackAnswer: feedbackAnswer,
  FeedbackPage: feedbackPage,
} as const;

export type SchemaName = keyof typeof NAMED;

export function schemaRef(name: SchemaName): { readonly $ref: string } {
  return { $ref: `#/components/schemas/${name}` };
}

/** JSON Schema 2020-12, as OpenAPI 3.1 takes it, by name; they refer to each other. */
export function componentSchemas(): Record<string, unknown> {
  const registry = z.registry<{ id: string }>();
  for (const [id, schema] of Object.entries(NAMED)) registry.add(schema, { id });
  const { schemas } = z.toJSONSchema(registry, { io: 'input', uri: (id) => `#/components/schemas/${id}` });
  return Object.fromEntries(
    Object.entries(schemas).map(([id, { $schema: _, $id: __, ...schema }]) => [id, schema] as const),
  );
}
