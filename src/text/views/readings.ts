import type { ViewName } from '../../moderation/contract.ts';
import { applyEdits, compose, type MappedText, unmapped } from '../mapped-text.ts';
import { normalize } from '../normalize.ts';
import { uncoverBase64 } from './base64.ts';
import { uncoverConfusables } from './confusables.ts';
import { hidesSomething } from './hidden.ts';
import { uncoverLeetspeak } from './leetspeak.ts';
import { uncoverRot13 } from './rot13.ts';
import { uncoverSpaced } from './spaced.ts';
import type { Uncover } from './view.ts';

/** A text as one view reads it. Its offsets lead to the raw text. */
export interface Reading {
  readonly view: ViewName;
  readonly text: MappedText;
}

/**
 * All readings of a text that differ; of a clean one only the first, its normalised form.
 *
 *     raw -> spaced -> normalise -> confusables -> leetspeak        each reads what the one before it made clear
 *                                -> base64, rot13                   of the normalised text itself
 *
 * The raw text is read beside them, because normalisation may remove just what gives an attack away.
 */
export function readText(raw: string): Reading[] {
  const normalized = normalize(raw);
  const readings: Reading[] = [{ view: 'normalized', text: normalized }];
  if (hidesSomething(raw, normalized.text)) readings.push({ view: 'raw', text: unmapped(raw) });

  let clearest: MappedText = normalized;
  const look = (view: ViewName, uncover: Uncover, from: MappedText): MappedText => {
    const edits = uncover(from.text);
    if (edits.length === 0) return clearest;
    const edited = compose(from, applyEdits(from.text, edits));
    const text = compose(edited, normalize(edited.text));
    if (readings.every((reading) => reading.text.text !== text.text)) readings.push({ view, text });
    return text;
  };
  clearest = look('spaced', uncoverSpaced, unmapped(raw));
  clearest = look('confusables', uncoverConfusables, clearest);
  look('leetspeak', uncoverLeetspeak, clearest);
  look('base64', uncoverBase64, normalized);
  look('rot13', uncoverRot13, normalized);
  return readings;
}
