import type { ViewName } from '../../moderation/contract.ts';
import { applyEdits, compose, type Edit, type MappedText, unmapped } from '../mapped-text.ts';
import { normalize } from '../normalize.ts';
import { uncoverBase64 } from './base64.ts';
import { uncoverConfusables } from './confusables.ts';
import { cutFarText } from './excerpt.ts';
import { glance } from './glance.ts';
import { hidesSomething } from './hidden.ts';
import { uncoverLeetspeak } from './leetspeak.ts';
import { uncoverRot13 } from './rot13.ts';
import { uncoverSpaced } from './spaced.ts';
import { NOTHING, type Uncover } from './view.ts';

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
 * Of a long text a view reads only what is near to what it uncovered.
 *
 * The raw text is read beside them, because normalisation may remove just what gives an attack away.
 */
export function readText(raw: string): Reading[] {
  const readings = readPlainly(raw);
  const normalized = readings[0].text;
  const look = (view: ViewName, uncover: Uncover, from: MappedText): readonly Edit[] => {
    const edits = uncover(from.text);
    if (edits.length === 0) return edits;
    const text = edit(from, cutFarText(from.text, edits));
    if (readings.every((reading) => reading.text.text !== text.text)) readings.push({ view, text });
    return edits;
  };
  const seen = glance(normalized.text);
  const plain = unmapped(raw);
  const spaced = seen.apart || raw !== normalized.text ? look('spaced', uncoverSpaced, plain) : NOTHING;
  const joined = spaced.length === 0 ? normalized : edit(plain, spaced);
  const confused = spaced.length > 0 || seen.beyondLatin ? look('confusables', uncoverConfusables, joined) : NOTHING;
  const clearest = confused.length === 0 ? joined : edit(joined, confused);
  if (clearest !== normalized || seen.signs) look('leetspeak', uncoverLeetspeak, clearest);
  if (seen.encoded) look('base64', uncoverBase64, normalized);
  if (seen.turned) look('rot13', uncoverRot13, normalized);
  return readings;
}

/** Without looking for disguises. */
export function readPlainly(raw: string): [Reading, ...Reading[]] {
  const normalized = normalize(raw);
  const readings: [Reading, ...Reading[]] = [{ view: 'normalized', text: normalized }];
  if (hidesSomething(raw, normalized.text)) readings.push({ view: 'raw', text: unmapped(raw) });
  return readings;
}

function edit(from: MappedText, edits: readonly Edit[]): MappedText {
  const edited = compose(from, applyEdits(from.text, edits));
  return compose(edited, normalize(edited.text));
}
