import { z } from 'zod';
import { guardrailConfigSchema } from '../guardrail/config.ts';
import { onlineSchema, spinSchema, supervisedSchema } from './technique-settings.ts';

/** Settings of a game. Each has the paper's default (arXiv 2502.05163) unless its line says otherwise. */

const share = z.number().min(0).max(1);

const dataSchema = z.strictObject({
  /** What the guardrail learns before the game, and what the generator rewrites: as `--data` of a training run. */
  sources: z.array(z.string().min(1)).min(1).default(['seeds']),
  /** Rows of the base set; fewer when a language has too few to keep the shares. */
  rows: z.int().min(2).default(24_000),
  /** Share of each language in the base set. */
  shares: z.record(z.string(), z.number().positive()).default({ en: 0.81, fr: 0.09, es: 0.05, de: 0.05 }),
  unsafeShare: z.number().gt(0).lt(1).default(0.45),
  /** Exponent on the size of a source when rows are drawn: 1 draws rows alike, 0 sources alike. */
  sizeExponent: share.default(0.6),
  /** Held-out rows of each language; half of them set the thresholds, the other half measure and decide on publishing. */
  heldOutRows: z.int().min(8).default(800),
  /** Labelled rows on which each guardrail is measured besides; they decide nothing. */
  benchmark: z.string().min(1).optional(),
});

const attackSchema = z.strictObject({
  /** Seeds that are rewritten in a round, half of them unsafe, drawn anew each round. */
  seeds: z.int().min(2).default(800),
  /** Languages of the seeds. */
  from: z.array(z.string()).min(1).default(['en']),
  /** Candidates of each seed and language. */
  candidates: z.int().min(1).default(8),
  /** The paper's code; the paper itself says 0.7. */
  temperature: z.number().positive().default(0.9),
  /** Classifier-free guidance of the candidates (MARINE's gamma, 0.7 there); 0: none. */
  guidance: z.number().min(0).default(0),
  /** Held-out seeds, and candidates of each and language, by which attacks are measured. */
  probeSeeds: z.int().min(2).default(120),
  probeCandidates: z.int().min(1).default(4),
});

const pairsSchema = z.strictObject({
  perTask: z.int().min(1).default(2),
  /** Most pairs of a round. */
  most: z.int().min(1).default(2_000),
  /** Whether misclassified candidates that lost their label's meaning may be the rejected ones. */
  unfaithfulRejected: z.boolean().default(true),
  /** `mixed`: the chosen side comes from another state of the generator (More is Less warns of that). */
  sides: z.enum(['single-model', 'mixed']).default('single-model'),
  /** File of that state, such as a `generator.bin` of another run; without it the generator of round 0. */
  otherGenerator: z.string().min(1).optional(),
  /** Held-out accuracy of a linear probe on chosen against rejected texts above which the game warns. */
  separabilityLimit: z.number().min(0.5).max(1).default(0.9),
  /** `online`: texts grow by chunks, and what differs in outcome is a pair and learned at once (Flow-DPO). */
  mode: z.enum(['round', 'online']).default('round'),
  online: onlineSchema.prefault({}),
});

const learningSchema = z.strictObject({
  beta: z.number().positive().default(0.01),
  nllWeight: z.number().min(0).default(0.4),
  /** For the embedded policy; the paper's 5e-7 is for a language model. */
  learningRate: z.number().positive().default(1e-3),
  /** `asgd`: accelerated SGD, whose learning rate is that of SGD; the guardrail's is `guardrail.optimizer.method`. */
  optimizer: z.enum(['adamw', 'asgd']).default('adamw'),
  epochs: z.int().min(1).default(1),
  batchPairs: z.int().min(1).default(32),
});

const filterSchema = z.strictObject({
  /** Characters by which a candidate may be longer or shorter than its seed. */
  lengthDifference: z.int().min(0).default(200),
  /** Jaccard index of 5-character pieces from which two candidates count as one. */
  nearDuplicate: z.number().gt(0).max(1).default(0.8),
  /** Most kept candidates of a seed in one language. */
  perTask: z.int().min(1).default(2),
  /** Most kept candidates of a round. */
  most: z.int().min(1).default(6_000),
  /**
   * Leaves out candidates of seeds that the guardrail gets wrong as they stand. It has learned them, so their labels are
   * often mistaken, and rewritings that fool it would spread the mistake.
   */
  knownSeeds: z.boolean().default(false),
  /**
   * In each language, also keep correctly classified candidates of the label that has fewer, the least certain first,
   * until the labels are level. The paper keeps misclassified ones only. Where nearly all of them are unsafe, the
   * guardrail learns that rewritten text is.
   */
  counterweight: z.boolean().default(false),
});

/** `weighting: east` */
const eastSchema = z
  .strictObject({
    /** Of the entropy; the paper has 1 and tries -3 to 3. */
    exponent: z.number().min(-3).max(3).default(1),
    /** Leave out tasks whose candidates all fooled the guardrail. */
    dropUnanimous: z.boolean().default(true),
  })
  .refine(({ exponent, dropUnanimous }) => exponent >= 0 || dropUnanimous, {
    path: ['dropUnanimous'],
    error: 'has to be true where the exponent is negative, as their weight would be infinite',
  });

const stopSchema = z.strictObject({
  /** Rounds without a better mean AUPRC on held-out rows. */
  patience: z.int().min(1).default(2),
  /** Rounds in which the best-response gap does not shrink. */
  gapPatience: z.int().min(1).default(2),
  /** Changes up to this do not count, of AUPRC or of the gap. */
  tolerance: share.default(0.001),
});

const gateSchema = z.strictObject({
  /** How much worse a language may be. */
  auprcMargin: share.default(0.03),
  fprMargin: share.default(0.02),
});

const settingsSchema = z.strictObject({
  seed: z.int().default(1),
  /** Most rounds after the base guardrail, which is round 0. */
  rounds: z.int().min(1).max(99).default(3),
  /** Languages that the generator writes. */
  languages: z.array(z.string()).min(1).default(['fr', 'es', 'de', 'en']),
  data: dataSchema.prefault({}),
  attack: attackSchema.prefault({}),
  pairs: pairsSchema.prefault({}),
  generator: learningSchema.prefault({}),
  /** `spin`: before the game the generator plays against its former self with human translations as the winners (SPIN). */
  warmup: z.enum(['none', 'spin']).default('none'),
  spin: spinSchema.prefault({}),
  /** `corrupted`: rejected candidates come from corrupted seeds and misleading conditions (STIC). */
  negatives: z.enum(['judged', 'corrupted']).default('judged'),
  /** `sft-rl`: each round restarts from the base policy, by supervised learning, then on harder tasks (OpenVLThinker). */
  schedule: z.enum(['dpo', 'sft-rl']).default('dpo'),
  supervised: supervisedSchema.prefault({}),
  filter: filterSchema.prefault({}),
  /** `random`: the control takes as many faithful candidates as `misclassified` would, whatever the guardrail says. */
  selection: z.enum(['misclassified', 'random']).default('misclassified'),
  /** The report.json of a run whose numbers of kept candidates a `random` selection copies, by round and language. */
  countsFrom: z.string().min(1).optional(),
  /** Whether the generator learns; the control's does not. */
  learn: z.boolean().default(true),
  /** Each guardrail goes on from the one before instead of starting anew. */
  warmStart: z.boolean().default(false),
  /** `east`: a kept row counts by how divided the guardrail was over the candidates of its task. */
  weighting: z.enum(['none', 'east']).default('none'),
  east: eastSchema.prefault({}),
  stop: stopSchema.prefault({}),
  gate: gateSchema.prefault({}),
  evaluate: z
    .strictObject({
      /** Each guardrail is also measured by categories against generators up to this many rounds ahead (MIRAI); 0: none. */
      horizons: z.int().min(0).max(99).default(0),
    })
    .prefault({}),
  guardrail: guardrailConfigSchema.prefault({}),
});

/** Each makes the generator's pairs in its own way. */
const PAIRINGS =
  "only one of pairs.mode 'online', pairs.sides 'mixed', negatives 'corrupted' and schedule 'sft-rl' can be played at a time";

export const gameConfigSchema = settingsSchema.refine(
  ({ pairs, negatives, schedule }) =>
    [pairs.mode === 'online', pairs.sides === 'mixed', negatives === 'corrupted', schedule === 'sft-rl'].filter(Boolean)
      .length < 2,
  PAIRINGS,
);

export type GameConfig = z.infer<typeof gameConfigSchema>;
