import type { Edit } from '../mapped-text.ts';

/**
 * Finds in a text what somebody hid there. Gives the edits that uncover it, in order and not overlapping; none on a clean
 * text, and that answer must be cheap: every text of every request is asked. Never throws.
 */
export type Uncover = (text: string) => readonly Edit[];

export const NOTHING: readonly Edit[] = [];
