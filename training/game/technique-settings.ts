import { z } from 'zod';

/** Settings of techniques that docs/papers.md describes; each is off unless the game's settings name it. */

/** `warmup: spin` */
export const spinSchema = z.strictObject({
  iterations: z.int().min(1).max(8).default(2),
  /** Most human translations of an iteration. */
  pairs: z.int().min(1).default(2_000),
  /** 50 times this from the fourth iteration on, as in the paper. */
  beta: z.number().positive().default(0.1),
  /** A fifth of this from the third iteration on, as in the paper. */
  learningRate: z.number().positive().default(1e-3),
  epochs: z.int().min(1).default(1),
  batchPairs: z.int().min(1).default(32),
});

/** `pairs.mode: online` */
export const onlineSchema = z.strictObject({
  /** Most tasks of a round that are written in this way. */
  tasks: z.int().min(1).default(400),
  /** Least slots of a chunk; more where a text would otherwise have more than `mostChunks`. */
  chunk: z.int().min(1).default(6),
  mostChunks: z.int().min(1).default(6),
  beta: z.number().positive().default(1),
  learningRate: z.number().positive().default(1e-3),
  batchPairs: z.int().min(1).default(32),
  stop: z
    .strictObject({
      beta: z.number().positive().default(1),
      learningRate: z.number().min(0).default(0.05),
    })
    .prefault({}),
});

/** `schedule: sft-rl` */
export const supervisedSchema = z.strictObject({
  learningRate: z.number().positive().default(1e-3),
  epochs: z.int().min(1).default(1),
  batchSamples: z.int().min(1).default(32),
  /** A task is hard while less than this share of its faithful candidates fool the guardrail. */
  hardBelow: z.number().gt(0).max(1).default(0.5),
});
