import { z } from 'zod';
import { CATEGORIES, type Category } from '../taxonomy.ts';

/** What a policy file says. Everything has a default but the names. */

/** A name is a label of metrics: short, and of characters that need no quoting anywhere. */
const NAME = /^[a-z0-9][a-z0-9._-]{0,63}$/;

const MAX_POLICIES = 100;
const MAX_PHRASES = 1000;

const MAX_LANGUAGES = 100;

/** As texts are told apart: Malay and Indonesian are not. */
const language = z
  .string()
  .regex(/^[a-z]{2,3}$/, 'expected a code of ISO 639-1, such as "de"')
  .refine((code) => code !== 'ms', 'expected "id", which stands for Malay too');
const languages = z.array(language).min(1).max(MAX_LANGUAGES);

const actionSchema = z.enum(['block', 'flag', 'ignore']);

const categorySchema = z.strictObject({
  /** Left out: the threshold of the checkpoint. */
  threshold: z.number().min(0).max(1).optional(),
  action: actionSchema.optional(),
  /** The category counts only for what goes in to the application's model, or only for what it puts out. */
  direction: z.enum(['input', 'output', 'both']).default('both'),
  /** The category counts only for texts in these. */
  languages: languages.optional(),
  /** What is otherwise for texts in one language. */
  by_language: z
    .record(
      language,
      z.strictObject({ threshold: z.number().min(0).max(1).optional(), action: actionSchema.optional() }),
    )
    .optional(),
});

const bound = z.number().min(0.5).max(1);

/** Lower ends of the bands, on the scale of an item's `score`, where 0.5 is the threshold whatever it is. */
const severitySchema = z
  .strictObject({ low: bound.default(0.5), medium: bound, high: bound })
  .refine(({ low, medium, high }) => low < medium && medium < high, 'expected low < medium < high');

const phrase = z
  .string()
  .max(200)
  .regex(/[\p{L}\p{N}]/u, 'expected at least one letter or digit');
const phrases = z.array(phrase).max(MAX_PHRASES).default([]);

const rulesSchema = z.strictObject({
  description: z.string().max(500).optional(),
  /** The policy is for texts in these; `default` judges the others. */
  languages: languages.optional(),
  /** Categories that are not named have the `default_action` and the checkpoint's threshold. */
  categories: z
    .strictObject(
      Object.fromEntries(CATEGORIES.map((id) => [id, categorySchema.optional()])) as Record<
        Category,
        z.ZodOptional<typeof categorySchema>
      >,
    )
    .default({}),
  default_action: actionSchema.default('block'),
  severity: severitySchema.optional(),
  phrases: z.strictObject({ deny: phrases, allow: phrases }).default({ deny: [], allow: [] }),
  /** What becomes of a text that could not be judged. `error`: the client is told, and decides. */
  on_failure: z.enum(['error', 'open', 'closed']).default('error'),
});

export const policyFileSchema = z.strictObject({
  version: z.literal(1),
  policies: z
    .record(z.string().regex(NAME, 'expected a name of small letters, digits, ".", "_" and "-"'), rulesSchema)
    .refine((policies) => Object.keys(policies).length <= MAX_POLICIES, `expected at most ${MAX_POLICIES} policies`)
    .check((context) => {
      if (context.value['default']?.languages === undefined) return;
      const message = 'expected none, because default judges what is in other languages';
      context.issues.push({ code: 'custom', message, input: context.value, path: ['default', 'languages'] });
    }),
});

export type PolicyRules = z.infer<typeof rulesSchema>;
export type CategoryAction = z.infer<typeof actionSchema>;
export type SeverityBands = z.infer<typeof severitySchema>;

/** Blocks what reaches the checkpoint's thresholds. */
export const DEFAULT_RULES: PolicyRules = rulesSchema.parse({});
