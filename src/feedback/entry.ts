import type { Category, PerCategory } from '../taxonomy.ts';

/** What a text is, in the words of the seed corpus. */
export const KINDS = ['prompt', 'response', 'qa', 'comment', 'dialogue'] as const;
export type Kind = (typeof KINDS)[number];

/** A text that was judged wrongly, and what would have been right. */
export interface Feedback {
  /** Of the answer or the request that judged it. */
  readonly verdictId: string | null;
  /** Which of that request's items, from 0. */
  readonly item: number;
  /** Null when nobody knows it any more: such feedback is counted and listed, and not exported. */
  readonly text: string | null;
  readonly kind: Kind;
  /** As the client says, BCP 47. */
  readonly lang: string | null;
  readonly unsafe: boolean;
  /** At least one when unsafe, none when safe; sorted. */
  readonly categories: readonly Category[];
  /** What judged it, with what scores. */
  readonly checkpoint: string | null;
  readonly scores: Partial<PerCategory<number>> | null;
  readonly note: string | null;
}

export interface StoredFeedback extends Feedback {
  /** Later ones sort behind earlier ones. */
  readonly id: string;
  /** ISO 8601. */
  readonly createdAt: string;
}
