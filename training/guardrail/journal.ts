import { appendFileSync, existsSync, readFileSync } from 'node:fs';

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
  /** `minutes`: all that this run has taken so far, over every resumption. */
  | { readonly event: 'saved'; readonly step: number; readonly minutes: number }
  | { readonly event: 'published'; readonly step: number; readonly checkpoint: string; readonly minutes: number };

export function appendJournal(path: string, entry: JournalEntry): void {
  appendFileSync(path, `${JSON.stringify({ time: new Date().toISOString(), ...entry })}\n`);
}

/** Minutes that the run had taken when its state was last saved; 0 for a new one. */
export function minutesBefore(path: string): number {
  if (!existsSync(path)) return 0;
  const saved = readFileSync(path, 'utf8')
    .split('\n')
    .filter((line) => line.includes('"saved"'))
    .at(-1);
  return saved === undefined ? 0 : (JSON.parse(saved) as { minutes: number }).minutes;
}
