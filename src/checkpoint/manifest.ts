import { z } from 'zod';
import { CATEGORIES } from '../taxonomy.ts';

/**
 * The contract between `training/` (writes it) and `src/` (verifies and serves it): `manifest.json` in a checkpoint
 * directory. Every other file of the directory that matters is named here with its size and hash.
 */

const sha256 = z.string().regex(/^[0-9a-f]{64}$/, 'a lower-case hex SHA-256');
const probability = z.number().min(0).max(1);
/** A path relative to the checkpoint directory. Containment is checked again on the real path when loading. */
const relativePath = z.string().min(1).max(200);

const categoryThresholds = z.object(
  Object.fromEntries(CATEGORIES.map((id) => [id, probability])) as Record<
    (typeof CATEGORIES)[number],
    typeof probability
  >,
);

const canary = z.object({
  text: z.string().min(1),
  /** Probabilities in label order that `model` must give for `text`, within `canary_tolerance`. */
  scores: z.array(probability).length(CATEGORIES.length),
});

const dataSource = z.object({
  source: z.string(),
  rows: z.number().int().nonnegative(),
  license: z.string(),
});

export const manifestSchema = z.object({
  format: z.literal(1),
  id: z.string().regex(/^[a-z0-9][a-z0-9._-]{0,99}$/, 'lower-case letters, digits, dot, dash, underscore'),
  created: z.iso.datetime(),
  parent: z.string().nullable(),
  architecture: z.object({ kind: z.string(), parameters: z.number().int().positive() }).loose(),
  /** Must equal CATEGORIES in order; a checkpoint with other labels is refused. */
  labels: z.array(z.string()),
  thresholds: categoryThresholds,
  /** Longest sequence the model takes, special tokens included. */
  max_tokens: z.number().int().min(8),
  languages: z.array(z.string()).min(1),
  /** The served model: inputs `input_ids` and `attention_mask` [batch, sequence], output `logits` [batch, 12]. */
  model: relativePath,
  /** The same weights in float32, kept when the run wants it; never served by default. */
  model_float: relativePath.optional(),
  /** Hugging Face `tokenizer.json`. */
  tokenizer: relativePath,
  files: z.record(relativePath, z.object({ sha256, bytes: z.number().int().nonnegative() })),
  canaries: z.array(canary).min(1),
  canary_tolerance: z.number().positive().max(0.2),
  evaluation: z.record(z.string(), z.unknown()),
  training: z
    .object({
      seed: z.number().int(),
      rounds: z.number().int().nonnegative(),
      config: z.record(z.string(), z.unknown()),
      data: z.array(dataSource),
    })
    .loose(),
});

export type Manifest = z.infer<typeof manifestSchema>;
