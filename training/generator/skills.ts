import type { Candidate, GenerationTask, Generator, PreferenceFigures, PreferencePair } from './contract.ts';

/** A prefix of choices that a candidate goes on from; as many as there are slots leave nothing to draw. */
export type Prefix = readonly number[];

export interface RollOutOptions {
  /** Divides the logits before sampling. */
  readonly temperature: number;
  /** Fixes every draw. */
  readonly seed: number;
}

export interface Sample {
  readonly task: GenerationTask;
  readonly candidate: Candidate;
}

export interface LikelihoodOptions {
  readonly learningRate: number;
  readonly epochs: number;
  readonly batchSamples: number;
  readonly seed: number;
}

export interface LikelihoodFigures {
  readonly samples: number;
  /** Mean cross-entropy of a decision over the last epoch, in nats, each batch before its step. */
  readonly loss: number;
}

export interface OnlineOptions {
  /** DPO's beta. */
  readonly beta: number;
  readonly learningRate: number;
}

/** DPO that goes on while the generator writes: the reference stays the policy as it was when this was made. */
export interface OnlineLearner {
  /** One step over these pairs. */
  step(pairs: readonly PreferencePair[]): Promise<PreferenceFigures>;
  /** Means over all pairs so far, each before its step. */
  figures(): PreferenceFigures;
}

/** What some techniques need of a generator besides; one that lacks a skill can't be played with them. */
export interface GeneratorSkills {
  /**
   * Candidates as a human would have decided: `candidates[i]` of `tasks[i]` with the choices that the human's text
   * `texts[i]` tells of. `undefined` where it tells nothing, or nothing else.
   */
  imitate(
    tasks: readonly GenerationTask[],
    candidates: readonly Candidate[],
    texts: readonly string[],
  ): Promise<readonly (Candidate | undefined)[]>;
  /** Candidates of each task, one for each of its prefixes, drawn to the end. A task that can't be rewritten has none. */
  rollOut(
    tasks: readonly GenerationTask[],
    prefixes: readonly (readonly Prefix[])[],
    options: RollOutOptions,
  ): Promise<readonly (readonly Candidate[])[]>;
  /** Maximises the likelihood of the candidates. */
  learnLikelihood(samples: readonly Sample[], options: LikelihoodOptions): Promise<LikelihoodFigures>;
  learnOnline(options: OnlineOptions): OnlineLearner;
}

export type SkilledGenerator = Generator & GeneratorSkills;
