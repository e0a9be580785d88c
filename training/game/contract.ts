import type { Category } from '../../src/taxonomy.ts';
import type { Candidate, GameSeed, GenerationTask } from '../generator/contract.ts';

/** What the stages of a round hand on to each other; all of it is stored as JSON. */

/** A labelled text of the base set, or a kept candidate. */
export interface GameRow extends GameSeed {
  readonly license: string;
  /** The round that wrote it; 0 for the base set. */
  readonly round: number;
  /** What its loss counts in training; 1 unless it says otherwise. */
  readonly weight?: number;
}

/**
 * How far a text still means what its seed says, whatever the guardrail thinks of it: 5 wholly, 1 not at all. The
 * paper's judge rates harmfulness from 1 to 5 and asks for at most 2 where the seed is safe, at least 3 where it is unsafe.
 * A rewriting that still says what its seed says (3) is about as harmful as the seed, so 3 is the bar for both; below
 * it, a safe seed's rewriting may say anything.
 */
export type Fidelity = number;

export type RateFidelity = (task: GenerationTask, text: string) => { readonly rating: Fidelity };

/** What a guardrail says of a text. */
export interface Judgement {
  /** Probability that it is unsafe, 0 to 1. */
  readonly score: number;
  /** Whether a category reaches its threshold. */
  readonly flagged: boolean;
}

export interface CategoryJudgement extends Judgement {
  /** Those that reach their thresholds. */
  readonly categories: readonly Category[];
}

export const LEVELS = ['chosen', 'rejected', 'unfaithful', 'unsure'] as const;

/**
 * `chosen`: misclassified and faithful. `rejected`: correctly classified and faithful. `unfaithful`: misclassified, but
 * it no longer means its label; may serve as rejected. `unsure`: all others, which teach nobody.
 */
export type Level = (typeof LEVELS)[number];

export interface JudgedCandidate extends Judgement {
  /** Number of its task in the round. */
  readonly task: number;
  readonly candidate: Candidate;
  readonly rating: Fidelity;
  readonly level: Level;
}
