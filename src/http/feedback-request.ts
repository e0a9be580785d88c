import { z } from 'zod';
import { type Feedback, KINDS } from '../feedback/entry.ts';
import type { RecentItem } from '../feedback/recent-texts.ts';
import { CATEGORIES, type Category, type PerCategory } from '../taxonomy.ts';
import { parseWith, wellFormed } from './classify-request.ts';
import { invalidField } from './invalid-field.ts';
import type { ReceivedHeaders } from './received.ts';

const scoresSchema = z.strictObject(
  Object.fromEntries(CATEGORIES.map((id) => [id, z.number().min(0).max(1).optional()])) as PerCategory<
    z.ZodOptional<z.ZodNumber>
  >,
);

/** The body of `POST /v1/feedback`, as far as a JSON schema can say it. */
export const feedbackBodySchema = z.strictObject({
  id: z
    .string()
    .regex(/^[A-Za-z0-9._:-]{1,128}$/, 'expected the id of an answer or a request')
    .optional()
    .describe('Of the answer that was wrong, or its `x-request-id`.'),
  index: z.int().min(0).max(4095).default(0).describe('Which of the items of that answer.'),
  text: z.string().min(1).max(65_536).optional().describe('Needed unless the server still knows the text of `id`.'),
  unsafe: z.boolean().describe('What would have been right.'),
  categories: z
    .array(z.enum(CATEGORIES))
    .max(CATEGORIES.length)
    .default([])
    .describe('Of an unsafe text, all that hold.'),
  lang: z
    .string()
    .regex(/^[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8}){0,3}$/, 'expected a language tag such as en or pt-BR')
    .optional(),
  kind: z.enum(KINDS).optional(),
  checkpoint: z
    .string()
    .regex(/^[A-Za-z0-9._-]{1,128}$/, 'expected the id of a checkpoint')
    .optional()
    .describe('What judged the text.'),
  scores: scoresSchema.optional().describe('The scores that it was given.'),
  note: z.string().max(2_000).optional(),
});

/**
 * @param find what the server still knows of a request, by the id of its answer or its own.
 * Throws `invalid_request`.
 */
export function parseFeedback(body: unknown, find: (id: string) => readonly RecentItem[] | undefined): Feedback {
  const given = parseWith(feedbackBodySchema, body, []);
  if (given.id === undefined && given.text === undefined) throw invalidField(['text'], 'is needed, or id');
  const items = given.id === undefined ? undefined : find(given.id);
  const recent = items?.[given.index];
  if (items !== undefined && recent === undefined) throw invalidField(['index'], 'is not an item of that answer');
  const text = given.text ?? recent?.text;
  return {
    verdictId: given.id ?? null,
    item: given.index,
    text: text === undefined ? null : storable(text),
    kind: given.kind ?? recent?.kind ?? 'prompt',
    lang: given.lang ?? null,
    unsafe: given.unsafe,
    categories: rightCategories(given.unsafe, given.categories),
    checkpoint: given.checkpoint ?? recent?.checkpoint ?? null,
    scores: given.scores === undefined ? (recent?.scores ?? null) : withoutUndefined(given.scores),
    note: given.note === undefined ? null : storable(given.note),
  };
}

function rightCategories(unsafe: boolean, categories: readonly Category[]): Category[] {
  if (unsafe && categories.length === 0) throw invalidField(['categories'], 'an unsafe text needs at least one');
  if (!unsafe && categories.length > 0) throw invalidField(['categories'], 'a safe text has none');
  return CATEGORIES.filter((category) => categories.includes(category));
}

/** What both databases can hold: PostgreSQL has no NUL in a text. */
function storable(text: string): string {
  return wellFormed(text).replaceAll('\0', '\uFFFD');
}

function withoutUndefined(scores: z.infer<typeof scoresSchema>): Partial<PerCategory<number>> {
  return Object.fromEntries(Object.entries(scores).filter(([, score]) => score !== undefined));
}

/** Scoped to the key, so that clients do not meet in each other's. Throws `invalid_request`. */
export function idempotencyKeyOf(headers: ReceivedHeaders, keyId: string | undefined): string | undefined {
  const given = headers.get('idempotency-key');
  if (given === null) return undefined;
  if (!/^[\x21-\x7e]{1,255}$/.test(given))
    throw invalidField(['idempotency-key'], 'expected 1 to 255 visible characters');
  return `${keyId ?? ''}:${given}`;
}
