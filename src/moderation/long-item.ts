import type { LongTexts } from '../checkpoint/long-texts.ts';
import type { PolicyRules } from '../policy/rules.ts';
import type { PreparedItem } from './prepare.ts';

/** What `readUnderPolicy` and `prepareItem` make of a text, but not in this thread. Rejects as `LongTexts.prepare` does. */
export async function prepareLongItem(
  raw: string,
  { phrases }: Pick<PolicyRules, 'phrases'>,
  longTexts: LongTexts,
  longInput: 'window' | 'reject',
  signal: AbortSignal,
): Promise<{ readonly item: PreparedItem; readonly denied: number | undefined }> {
  const order = { raw, phrases, longInput };
  const { tokens, windows, denied, readings } = await longTexts.prepare(order, signal);
  const item: PreparedItem = {
    tokens,
    windows,
    readings,
    sequences: readings.flatMap((reading) => reading.windows),
    readWindow: (reading, window, signal) => longTexts.readWindow(order, { reading, window }, signal),
  };
  return { denied, item };
}
