import { z } from 'zod';
import type { ClassifyItem, ClassifyRequest } from '../moderation/contract.ts';
import { CATEGORIES, type Category, type PerCategory } from '../taxonomy.ts';
import { invalidField, toInvalidRequest, tooManyItems } from './invalid-field.ts';

/** The body of `POST /classify`, as far as it does not depend on the shape of `input`. */
export const classifyBodySchema = z.strictObject({
  input: z.unknown(),
  policy: z.string().optional(),
  direction: z.enum(['input', 'output']).optional(),
  language: z
    .string()
    .regex(/^[A-Za-z]{2,3}([-_][A-Za-z0-9]{1,8})*$/, 'expected a language tag such as "de" or "de-AT"')
    .optional(),
  thresholds: z
    .strictObject(
      Object.fromEntries(CATEGORIES.map((id) => [id, z.number().min(0).max(1).optional()])) as PerCategory<
        z.ZodOptional<z.ZodNumber>
      >,
    )
    .optional(),
  categories: z.array(z.enum(CATEGORIES)).min(1).optional(),
  long_input: z.enum(['window', 'reject']).default('window'),
  explain: z.boolean().default(false),
});

export const conversationSchema = z.strictObject({
  messages: z
    .array(z.strictObject({ role: z.string().min(1).max(64), content: z.string() }))
    .min(1)
    .refine(
      (messages) => messages.some((message) => message.content !== ''),
      'expected at least one message with content',
    ),
});

export const pairSchema = z.strictObject({ prompt: z.string(), response: z.string().min(1) });

export type ParsedClassify = Omit<ClassifyRequest, 'signal'>;

/** Throws `invalid_request` or `too_many_items`; either names the field and neither quotes a value. */
export function parseClassifyRequest(body: unknown, maxItems: number): ParsedClassify {
  const parsed = classifyBodySchema.safeParse(body);
  if (!parsed.success) throw toInvalidRequest(parsed.error, []);
  const { input, policy, direction, language, thresholds, categories, long_input: longInput, explain } = parsed.data;
  return {
    items: parseInput(input, maxItems),
    longInput,
    ...(policy === undefined ? {} : { policy }),
    ...(direction === undefined ? {} : { direction }),
    ...(language === undefined ? {} : { language }),
    ...(explain ? { explain } : {}),
    ...(thresholds === undefined ? {} : { thresholds: withoutUndefined(thresholds) }),
    ...(categories === undefined ? {} : { categories }),
  };
}

function parseInput(input: unknown, maxItems: number): ClassifyItem[] {
  if (input === undefined) throw invalidField(['input'], 'is required');
  if (!Array.isArray(input)) return [parseItem(input, ['input'])];
  if (input.length === 0) throw invalidField(['input'], 'expected at least one item');
  if (input.length > maxItems) throw tooManyItems('input', input.length, maxItems);
  return input.map((item, index) => parseItem(item, ['input', index]));
}

/** The shape is told by the fields, so that a mistake is reported for the shape that was meant. */
function parseItem(item: unknown, path: readonly PropertyKey[]): ClassifyItem {
  if (typeof item === 'string') {
    if (item === '') throw invalidField(path, 'expected a text that is not empty');
    return wellFormed(item);
  }
  if (typeof item === 'object' && item !== null && !Array.isArray(item)) {
    if ('messages' in item) {
      const { messages } = parseWith(conversationSchema, item, path);
      return { messages: messages.map(({ role, content }) => ({ role, content: wellFormed(content) })) };
    }
    if ('prompt' in item || 'response' in item) {
      const { prompt, response } = parseWith(pairSchema, item, path);
      return { prompt: wellFormed(prompt), response: wellFormed(response) };
    }
  }
  throw invalidField(path, 'expected a string, {messages} or {prompt, response}');
}

/** Throws `invalid_request` naming the field below `path`. */
export function parseWith<T>(schema: z.ZodType<T>, value: unknown, path: readonly PropertyKey[]): T {
  const parsed = schema.safeParse(value);
  if (!parsed.success) throw toInvalidRequest(parsed.error, path);
  return parsed.data;
}

/** Half a surrogate pair is no character; it becomes U+FFFD, one code point for one, so that offsets stay right. */
export function wellFormed(text: string): string {
  return text.replace(/\p{Surrogate}/gu, '\uFFFD');
}

function withoutUndefined(
  thresholds: Partial<Record<Category, number | undefined>>,
): NonNullable<ClassifyRequest['thresholds']> {
  return Object.fromEntries(Object.entries(thresholds).filter(([, value]) => value !== undefined));
}
