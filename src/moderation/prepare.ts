import type { Checkpoint } from '../checkpoint/checkpoint.ts';
import { encodeWindows, windowCapacity } from '../checkpoint/encode.ts';
import { DuoguardError } from '../errors.ts';
import type { Sequence } from '../inference/engine.ts';
import { normalize } from '../text/normalize.ts';
import { renderItem } from '../text/render.ts';
import type { ClassifyItem } from './contract.ts';

/** An item as the model will see it. */
export interface PreparedItem {
  /** Tokens of the normalised text, special tokens not counted. */
  readonly tokens: number;
  /** Windows of the normalised text. */
  readonly windows: number;
  /** What is scored: these windows, then those of the raw text if normalisation changed it. */
  readonly sequences: readonly Sequence[];
}

/**
 * Renders, normalises and tokenises one item. The raw text is scored beside the normalised one, because normalisation
 * may remove just what gives an attack away; that is saved when both have the same tokens. A view without any token is
 * not scored: there is nothing in it to judge. A text of invisible characters alone is thus judged by its raw view.
 * Throws `input_too_long` when `longInput` forbids windows.
 */
export function prepareItem(item: ClassifyItem, checkpoint: Checkpoint, longInput: 'window' | 'reject'): PreparedItem {
  const raw = renderItem(item);
  const normalized = normalize(raw);
  const ids = checkpoint.tokenizer.encode(normalized.text);
  const capacity = windowCapacity(checkpoint.manifest, checkpoint.tokenizer);
  if (longInput === 'reject' && ids.length > capacity) {
    throw new DuoguardError('input_too_long', {
      message: `The text has ${ids.length} tokens; the model takes ${capacity}, and the request asks not to window it.`,
      details: { tokens: ids.length, maxTokens: capacity },
    });
  }
  const windows = toWindows(checkpoint, ids);
  const rawIds = hidesSomething(raw, normalized.text) ? checkpoint.tokenizer.encode(raw) : ids;
  const rawWindows = sameIds(ids, rawIds) ? [] : toWindows(checkpoint, rawIds);
  return { tokens: ids.length, windows: windows.length, sequences: [...windows, ...rawWindows] };
}

function toWindows(checkpoint: Checkpoint, ids: readonly number[]): readonly Sequence[] {
  return ids.length === 0 ? [] : encodeWindows(checkpoint, ids);
}

/** No script stacks so many marks on a letter, and composing them takes time quadratic in their number. */
const STACKED_MARKS = /\p{M}{33}/u;

/** White space and composed accents differ between honest writers; a second look at them would only cost time. */
function hidesSomething(raw: string, normalized: string): boolean {
  if (raw === normalized) return false;
  return STACKED_MARKS.test(raw) || withoutWhitespace(raw.normalize('NFC')) !== withoutWhitespace(normalized);
}

function withoutWhitespace(text: string): string {
  return text.replace(/[ \t\r\n]+/g, '');
}

function sameIds(a: readonly number[], b: readonly number[]): boolean {
  return a === b || (a.length === b.length && a.every((id, index) => id === b[index]));
}
