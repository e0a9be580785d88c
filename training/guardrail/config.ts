import { availableParallelism } from 'node:os';
import { z } from 'zod';
import { CATEGORIES } from '../../src/taxonomy.ts';
import { ASGD_DEFAULTS } from '../optimizers/asgd.ts';

/** Settings of a guardrail training run, each with the default that the shipped checkpoint was trained with. */

const encoderSchema = z
  .strictObject({
    vocabSize: z.int().min(300).max(65_536).default(24_000),
    ngrams: z
      .strictObject({
        /** Lengths in tokens of the hashed n-grams; empty: none. */
        orders: z.array(z.int().min(2).max(6)).default([2, 3]),
        buckets: z
          .int()
          .min(1)
          .max(1 << 20)
          .default(49_152),
      })
      .prefault({}),
    embedding: z.int().min(8).default(256),
    width: z.int().min(8).default(128),
    layers: z.int().min(0).default(2),
    heads: z.int().min(1).default(4),
    feedForward: z.int().min(8).default(384),
    /** Rows are padded to multiples of 8, for which there have to be positions. */
    maxTokens: z.int().min(16).multipleOf(8).default(160),
    outputs: z.literal(CATEGORIES.length).default(CATEGORIES.length),
  })
  .refine(({ width, heads }) => width % heads === 0, { path: ['heads'], error: 'has to divide width' });

export const guardrailConfigSchema = z.strictObject({
  seed: z.int().default(1),
  threads: z
    .int()
    .min(1)
    .default(() => availableParallelism()),
  encoder: encoderSchema.prefault({}),
  /** Subword rows that exist only while training. */
  characters: z
    .strictObject({
      buckets: z
        .int()
        .min(0)
        .max(1 << 20)
        .default(65_536),
      shortest: z.int().min(2).default(3),
      longest: z.int().min(2).default(5),
    })
    .prefault({}),
  /** `bce`: sum of 12 binary cross-entropies (the paper's eq. 4.6). `mcc`: multilabel categorical (the paper's code). */
  loss: z.enum(['bce', 'mcc']).default('mcc'),
  dropout: z.number().min(0).max(0.9).default(0.1),
  /** Chance that a position loses its token row. */
  tokenDropout: z.number().min(0).max(0.9).default(0.05),
  /** Chance that a position loses one of its n-gram rows. */
  ngramDropout: z.number().min(0).max(0.9).default(0.2),
  /** Rows drawn per pass, and passes. */
  rowsPerEpoch: z.int().min(1).default(100_000),
  epochs: z.int().min(1).default(4),
  /** Padded tokens of one micro-batch, and micro-batches of one step. */
  batchTokens: z.int().min(64).default(4_096),
  batchRows: z.int().min(1).default(128),
  accumulate: z.int().min(1).default(1),
  learningRate: z.number().positive().default(1e-3),
  /** Learning rate of the embedding table relative to the rest. */
  embeddingRate: z.number().positive().default(1),
  /** Share of the steps in which the rate rises. */
  warmup: z.number().min(0).max(1).default(0.05),
  clip: z.number().positive().default(1),
  optimizer: z
    .strictObject({
      /** `asgd`: accelerated SGD. Its learning rates are those of SGD, not of AdamW. */
      method: z.enum(['adamw', 'asgd']).default('adamw'),
      beta1: z.number().min(0).max(1).default(0.9),
      beta2: z.number().min(0).max(1).default(0.98),
      epsilon: z.number().positive().default(1e-8),
      weightDecay: z.number().min(0).default(0.02),
      /** Constants of accelerated SGD: long step relative to the short one, statistical advantage, c. */
      kappa: z.number().min(1).default(ASGD_DEFAULTS.kappa),
      xi: z.number().min(1).default(ASGD_DEFAULTS.xi),
      smallConstant: z.number().gt(0).lt(1).default(ASGD_DEFAULTS.smallConstant),
    })
    .prefault({}),
  /** Languages into which English rows are also translated, word by word, by the lexicons in `training/lexicons`. */
  translateTo: z.array(z.string()).default([]),
  /** Share of them that is translated, by language; all where none is named. */
  translatedShare: z.record(z.string(), z.number().min(0).max(1)).default({}),
  /** Share of the training rows, translated ones included, that are also there in disguise, and as the views read it. */
  disguisedShare: z.number().min(0).max(1).default(0),
  balance: z
    .strictObject({
      sizeExponent: z.number().min(0).max(1).default(0.6),
      unsafeShare: z.number().gt(0).lt(1).default(0.45),
      labels: z.enum(['overall', 'per-language']).default('overall'),
      sourceWeights: z.record(z.string(), z.number().min(0)).default({}),
      languageWeights: z.record(z.string(), z.number().min(0)).default({}),
      translatedWeight: z.number().min(0).default(0.5),
      /**
       * The server also reads what a disguise hides, and the highest reading counts: the disguised text itself has to
       * score low unless it says more. So fewer unsafe ones than safe ones.
       */
      disguisedWeight: z
        .strictObject({ safe: z.number().min(0).default(0.2), unsafe: z.number().min(0).default(0.05) })
        .prefault({}),
      /** Views restore most words, not all: what they leave wrong is learned from these. */
      uncoveredWeight: z.number().min(0).default(0.1),
    })
    .prefault({}),
});

export type GuardrailConfig = z.infer<typeof guardrailConfigSchema>;
