import type { Category, PerCategory } from '../taxonomy.ts';

/** What the HTTP half asks of the moderation half. Implementations and test doubles import this file and nothing else. */

export interface Message {
  readonly role: string;
  readonly content: string;
}

/** One thing to judge. A conversation is judged as a whole; of a prompt with its response the response is judged. */
export type ClassifyItem =
  | string
  | { readonly messages: readonly Message[] }
  | { readonly prompt: string; readonly response: string };

export interface ClassifyRequest {
  readonly items: readonly ClassifyItem[];
  /** Overrides of the checkpoint's thresholds, probability per category. */
  readonly thresholds?: Partial<PerCategory<number>>;
  /** Only these categories may flag. Default: all. Scores of the others are still reported. */
  readonly categories?: readonly Category[];
  /** `window`: a text longer than the model is scored in overlapping windows, maximum per category. `reject`: it fails. */
  readonly longInput: 'window' | 'reject';
  /** Fires when the client left, the deadline passed or the server gives up; queued work is dropped before it runs. */
  readonly signal: AbortSignal;
}

export interface ItemVerdict {
  readonly index: number;
  readonly flagged: boolean;
  readonly action: 'allow' | 'block';
  /** Highest threshold-normalised score; at least 0.5 exactly when `flagged` (with all categories enabled). */
  readonly score: number;
  readonly categories: PerCategory<boolean>;
  readonly category_scores: PerCategory<number>;
  readonly top_category: Category;
  readonly tokens: number;
  readonly windows: number;
}

export interface ItemFailure {
  readonly index: number;
  readonly error: { readonly code: string; readonly message: string };
}

/** Milliseconds; for a batch the wall time of each stage. */
export interface Timings {
  readonly tokenization: number;
  readonly queue: number;
  readonly inference: number;
  readonly total: number;
}

export interface Verdict {
  /** Id of the one checkpoint that scored every item of this request. */
  readonly checkpoint: string;
  /** In input order, one per item. */
  readonly results: readonly (ItemVerdict | ItemFailure)[];
  readonly usage: { readonly tokens: number };
  readonly timing_ms: Timings;
}

export interface Classifier {
  /** Rejects with a `DuoguardError` (`overloaded`, `not_ready`, `deadline_exceeded`, ...) when no item could be judged. */
  classify(request: ClassifyRequest): Promise<Verdict>;
}
