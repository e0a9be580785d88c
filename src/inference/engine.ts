import type { DuoguardError } from '../errors.ts';

/** What scoring offers to the moderation half. Implementations and test doubles import this file. */

/** Token ids of one sequence as the model sees it, special tokens included. */
export type Sequence = Int32Array;

export interface Scored {
  /** Per sequence, in order: 12 probabilities in label order, or why this one sequence failed. */
  readonly scores: readonly (Float32Array | DuoguardError)[];
  /** Milliseconds from submission until the first sequence began to run. */
  readonly queueMs: number;
  /** Milliseconds from then until the last sequence was scored. */
  readonly inferenceMs: number;
}

export interface EngineStats {
  /** Sequences and tokens that wait; what runs is not counted. */
  readonly queuedSequences: number;
  readonly queuedTokens: number;
  readonly workersReady: number;
  readonly workersBusy: number;
}

export interface BatchMeasurement {
  readonly sequences: number;
  readonly tokens: number;
  /** Tokens including padding: sequences x longest. */
  readonly paddedTokens: number;
  /** Milliseconds in `InferenceSession.run`, as the worker measured it. */
  readonly inferenceMs: number;
}

/** Told of what happened, once per event; the one place that records it is elsewhere. */
export interface EngineObserver {
  batch?(measurement: BatchMeasurement): void;
  workerRestarted?(): void;
}

export interface Engine {
  /**
   * Scores the sequences of one request. They are accepted or refused together.
   * Rejects with `overloaded`, `shutting_down`, or, once `signal` fires, its reason (`client_closed`,
   * `deadline_exceeded`); whatever of the request had not begun to run by then never does.
   */
  submit(sequences: readonly Sequence[], signal: AbortSignal): Promise<Scored>;
  stats(): EngineStats;
  /** Refuses new work, finishes what was accepted, ends the workers. */
  close(): Promise<void>;
}
