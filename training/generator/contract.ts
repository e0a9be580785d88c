import type { Category } from '../../src/taxonomy.ts';
import type { GeneratorSkills } from './skills.ts';

/** A labelled text that the game starts from. */
export interface GameSeed {
  readonly id: string;
  readonly text: string;
  /** BCP 47. */
  readonly lang: string;
  readonly unsafe: boolean;
  /** `null`: unsafe in a category that nobody named. */
  readonly categories: readonly Category[] | null;
  readonly source: string;
}

/** What a generator is asked for: rewrite `seed` in the language `lang` so that its label still holds. */
export interface GenerationTask {
  readonly seed: GameSeed;
  readonly lang: string;
}

/** A rewriting of a seed. */
export interface Candidate {
  readonly seed: string;
  readonly lang: string;
  readonly text: string;
  /** log p(text's choices | seed, language) of the policy that wrote it, at temperature 1, in nats. */
  readonly logProbability: number;
  /** What the generator has to see to score or learn this candidate again: for the rewriter one option per slot. */
  readonly choices: readonly number[];
  /** Characters of the seed that were rewritten, where it was too long to be rewritten whole. */
  readonly seedLength?: number;
}

/** Two candidates of one task; the generator is to prefer `chosen`. */
export interface PreferencePair {
  readonly task: GenerationTask;
  readonly chosen: Candidate;
  readonly rejected: Candidate;
  /** From which choice to before which the two are compared; absent: all. Before it they are alike. */
  readonly slots?: readonly [from: number, to: number];
}

export interface SamplingOptions {
  /** Candidates per task. */
  readonly count: number;
  /** Divides the logits before sampling; 1 samples from the policy itself. */
  readonly temperature: number;
  /** Fixes every draw. */
  readonly seed: number;
  /** Classifier-free guidance (MARINE): gamma, 0 or absent for none. */
  readonly guidance?: number;
  /**
   * Draws as if misled (STIC): candidates by turns see the seed's words shuffled and some left out, and a wrong label or
   * language. They are rewritings of the task all the same, and `logProbability` is that of the task as it is.
   */
  readonly corrupted?: boolean;
}

export interface PreferenceOptions {
  /** DPO's beta. */
  readonly beta: number;
  /** Weight of the chosen candidate's negative log-likelihood (rpo_alpha). */
  readonly nllWeight: number;
  /** `rpo`: that likelihood is a mean over decisions. `stic`: of whole sequences. Absent: `rpo`. */
  readonly objective?: 'rpo' | 'stic';
  /** Absent: AdamW. */
  readonly optimizer?: 'adamw' | 'asgd';
  readonly learningRate: number;
  readonly epochs: number;
  readonly batchPairs: number;
  readonly seed: number;
}

export interface PreferenceFigures {
  readonly pairs: number;
  /** Means over the last epoch. */
  readonly loss: number;
  /** Share of pairs whose chosen candidate gained more than the rejected one. */
  readonly accuracy: number;
  /** beta * (log-ratio of chosen - log-ratio of rejected) */
  readonly margin: number;
  /** Mean over chosen and rejected of log p_new - log p_reference: an estimate of how far the policy moved. */
  readonly drift: number;
}

export type OnProgress = (done: number, total: number) => void;

/**
 * The attacker of the game. A generator is a pure function of its state and the options: the same call on the same state
 * gives the same candidates, so that an interrupted round can be repeated.
 */
export interface Generator extends Partial<GeneratorSkills> {
  readonly name: string;
  /** Languages it can write, given a seed in `from`. */
  languages(from: string): readonly string[];
  /** Candidates of each task, in the tasks' order. A task that can't be rewritten gives an empty list. */
  generate(
    tasks: readonly GenerationTask[],
    options: SamplingOptions,
    onProgress?: OnProgress,
  ): Promise<readonly (readonly Candidate[])[]>;
  /** log p of each candidate under the present policy, in nats. */
  logProbabilities(tasks: readonly GenerationTask[], candidates: readonly Candidate[]): Promise<Float64Array>;
  /** Direct preference optimisation against the policy as it is when the call begins. */
  learn(
    pairs: readonly PreferencePair[],
    options: PreferenceOptions,
    onProgress?: OnProgress,
  ): Promise<PreferenceFigures>;
  /** Writes the whole state to a file, by rename. */
  save(file: string): void;
  /** Throws a typed error naming the file when it can't be read or belongs to another shape. */
  restore(file: string): void;
  release(): Promise<void>;
}
