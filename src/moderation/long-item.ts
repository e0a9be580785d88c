import type { Checkpoint } from '../checkpoint/checkpoint.ts';
import type { LongTexts } from '../checkpoint/long-texts.ts';
import type { PolicyRules } from '../policy/rules.ts';
import { readUnderPolicy } from './policy-reading.ts';
import { type PreparedItem, type PreparedReading, prepareItem } from './prepare.ts';

/**
 * What `readUnderPolicy` and `prepareItem` make of a text, but not in this thread. Text and ids of its readings are made
 * here when they are asked for, which only explaining a decision does. Rejects as `LongTexts.prepare` does.
 */
export async function prepareLongItem(
  raw: string,
  rules: PolicyRules,
  checkpoint: Checkpoint,
  longTexts: LongTexts,
  longInput: 'window' | 'reject',
  signal: AbortSignal,
): Promise<{ readonly item: PreparedItem; readonly denied: number | undefined }> {
  const { phrases } = rules;
  const { tokens, windows, denied, readings } = await longTexts.prepare({ raw, phrases, longInput }, signal);
  let here: PreparedItem | undefined;
  const readHere = (index: number): PreparedReading => {
    here ??= prepareItem(raw, readUnderPolicy(rules, raw).readings, checkpoint, longInput);
    return here.readings[index] as PreparedReading;
  };
  const lazily = readings.map(({ view, windows }, index) => ({
    view,
    windows,
    get text() {
      return readHere(index).text;
    },
    get ids() {
      return readHere(index).ids;
    },
  }));
  return { denied, item: { tokens, windows, raw, readings: lazily, sequences: readings.flatMap((r) => r.windows) } };
}
