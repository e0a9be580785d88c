import { appendFileSync } from 'node:fs';

/** What happened in a run, one JSON object a line, appended as it happens; a resumed run goes on in the same file. */
export type JournalEntry =
  | { readonly event: 'started' | 'resumed'; readonly step: number; readonly steps: number }
  | {
      readonly event: 'step';
      readonly step: number;
      /** Mean since the last entry. */
      readonly loss: number;
      readonly gradientNorm: number;
      readonly learningRate: number;
      readonly tokensPerSecond: number;
    }
  | { readonly event: 'saved'; readonly step: number }
  | { readonly event: 'published'; readonly step: number; readonly checkpoint: string; readonly minutes: number };

export function appendJournal(path: string, entry: JournalEntry): void {
  appendFileSync(path, `${JSON.stringify({ time: new Date().toISOString(), ...entry })}\n`);
}
