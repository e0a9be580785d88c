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

/** The policy of a request that names none. There always is one of this name. */
export const DEFAULT_POLICY = 'default';

export interface ClassifyRequest {
  readonly items: readonly ClassifyItem[];
  /** Name of the policy that decides. Default: `default`. */
  readonly policy?: string;
  /** What the items are to the application's model. Default: the response to a prompt is output, everything else input. */
  readonly direction?: 'input' | 'output';
  /** Of all items, as an ISO 639-1 code or a longer tag. Default: detected, if the policy has conditions on it. */
  readonly language?: string;
  /** Overrides of the thresholds of policy and checkpoint, probability per category. */
  readonly thresholds?: Partial<PerCategory<number>>;
  /** Only these categories may flag. Default: all. Scores of the others are still reported. */
  readonly categories?: readonly Category[];
  /** `window`: a text longer than the model is scored in overlapping windows, maximum per category. `reject`: it fails. */
  readonly longInput: 'window' | 'reject';
  /** Also find the words that carry what flags; costs up to 49 more sequences an item that flags. Default: false. */
  readonly explain?: boolean;
  /** While a checkpoint is on trial, requests with the same key are judged by the same one. Default: by chance. */
  readonly routingKey?: string;
  /** No checkpoint on trial may answer, and none is compared. */
  readonly servingOnly?: boolean;
  /** Told of the verdict, when the request is traced. */
  readonly trace?: StageTrace;
  /** Fires when the client left, the deadline passed or the server gives up; queued work is dropped before it runs. */
  readonly signal: AbortSignal;
}

export interface StageTrace {
  /** @param began `performance.now()` when judging began; the verdict has how long each stage took. */
  judged(began: number, verdict: Verdict): void;
}

/** How a text was read: its normalised form, as it came, or with one kind of disguise taken off. */
export type ViewName = 'normalized' | 'raw' | 'spaced' | 'confusables' | 'leetspeak' | 'base64' | 'rot13';

export interface ViewVerdict {
  readonly view: ViewName;
  readonly flagged: boolean;
  /** As of the item: highest threshold-normalised score, in this reading alone. */
  readonly score: number;
}

/** A stretch of an item's text that carries its top category. */
export interface DecisiveSpan {
  /** Half-open, in code points of the text; a conversation's messages, or a prompt and its response, joined by a line end. */
  readonly start: number;
  readonly end: number;
  readonly category: Category;
  /** In (0, 1]: how much the category's log-odds fall without it, against the strongest span. */
  readonly score: number;
  readonly view: ViewName;
  /** Number of the view's window, from 0. */
  readonly window: number;
}

export interface ItemVerdict {
  readonly index: number;
  readonly flagged: boolean;
  readonly action: 'allow' | 'flag' | 'block';
  /** Highest threshold-normalised score of what may flag; at least 0.5 exactly when a category flags. */
  readonly score: number;
  readonly categories: PerCategory<boolean>;
  readonly category_scores: PerCategory<number>;
  readonly top_category: Category;
  /** When the policy has bands. */
  readonly severity?: 'none' | 'low' | 'medium' | 'high';
  /** Number, from 0, of the policy's denied phrase that the text contains: it blocks whatever the scores are. */
  readonly denied_phrase?: number;
  /** When the policy has conditions on it: as the request said, or as it was detected; none if it cannot be told. */
  readonly language?: string;
  readonly tokens: number;
  readonly windows: number;
  /** What was scored, when it was more than the normalised text; the item's scores are the maximum over them. */
  readonly views?: readonly ViewVerdict[];
  /** When the request asked for it: in text order, at most five; none when nothing flags. */
  readonly spans?: readonly DecisiveSpan[];
}

export interface ItemFailure {
  readonly index: number;
  readonly error: { readonly code: string; readonly message: string };
  /** What the policy wants done with a text that could not be judged; without it the caller decides. */
  readonly action?: 'allow' | 'block';
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

/** How a stream is cut into windows. Tokens as the serving checkpoint counts them. */
export interface StreamSettings {
  /** New tokens that one window judges. Default: 64, or what the model leaves. */
  readonly chunkTokens?: number;
  /** Tokens before the new ones that the window sees again. Default: 64, or half of the model's window. */
  readonly contextTokens?: number;
  /**
   * Text is returned once a window that allowed it was judged, except for this many tokens at its end, which wait until
   * the next window has seen them with what follows. At most `contextTokens`. Left out: no text is returned.
   */
  readonly holdBack?: number;
  /** A pause of so many milliseconds lets what has arrived be judged, the word it ends in included. 0: never. Default: 1000. */
  readonly flushMs?: number;
}

/** Offsets are code points of the whole stream, half open. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/**
 * Of all windows up to some point: scores are the maximum, `tokens` those that were scored, context included. `action` is
 * the strongest, also of windows that could not be judged; a failure only when none could.
 */
export type StreamVerdict = Verdict & { readonly results: readonly [ItemVerdict | ItemFailure] };

export type StreamEvent =
  /** One window was judged. `start` and `end` are its new text; `result` is about the window from `context` on. */
  | ({
      readonly event: 'verdict';
      readonly index: number;
      readonly context: number;
      readonly checkpoint: string;
      readonly result: ItemVerdict;
      readonly soFar: StreamVerdict;
    } & Span)
  /** One window could not be judged, and the policy says what becomes of it. */
  | ({
      readonly event: 'failure';
      readonly index: number;
      readonly context: number;
      readonly checkpoint: string;
      readonly error: ItemFailure['error'];
      readonly action: 'allow' | 'block';
      readonly soFar: StreamVerdict;
    } & Span)
  /** These categories fired for the first time in this stream, in the window that the last `verdict` told of. */
  | ({ readonly event: 'flag'; readonly index: number; readonly categories: readonly Category[] } & Span)
  /** Judged text, in order and without gaps; none any more after a window was blocked. */
  | ({ readonly event: 'release'; readonly text: string } & Span)
  /** The last event. */
  | {
      readonly event: 'done';
      readonly codePoints: number;
      readonly released: number;
      /** Windows that could not be judged. */
      readonly failed: number;
      readonly verdict: StreamVerdict;
    };

export interface StreamClassifier {
  /**
   * Throws `invalid_request` for settings that do not fit the model and `not_ready` without one, before it reads. The
   * iterator then rejects with the `DuoguardError` that ended the stream. `deltas` must end or reject once `signal`
   * fires; leaving the iterator early ends all work.
   */
  classifyStream(
    deltas: AsyncIterable<string>,
    settings: StreamSettings,
    request: Omit<ClassifyRequest, 'items' | 'signal'>,
    signal: AbortSignal,
  ): AsyncGenerator<StreamEvent, void, undefined>;
}
