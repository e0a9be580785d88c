import type { RoundReport } from './report.ts';

export const STAGES = [
  'generate',
  'score',
  'pair',
  'train-generator',
  'filter',
  'train-guardrail',
  'evaluate',
  'publish',
] as const;
export type Stage = (typeof STAGES)[number];

/** Who watches a game: the command line, the metrics. What it does changes nothing in the game. */
export interface GameObserver {
  log(line: string): void;
  stageBegan(round: number, stage: Stage): void;
  /** `unit` names what is counted. */
  progress(stage: Stage, done: number, total: number, unit: string): void;
  stageEnded(round: number, stage: Stage, seconds: number): void;
  roundEnded(report: RoundReport): void;
}

/** Tells each of several observers. */
export function observers(all: readonly GameObserver[]): GameObserver {
  return {
    log(line) {
      for (const one of all) one.log(line);
    },
    stageBegan(...event) {
      for (const one of all) one.stageBegan(...event);
    },
    progress(...event) {
      for (const one of all) one.progress(...event);
    },
    stageEnded(...event) {
      for (const one of all) one.stageEnded(...event);
    },
    roundEnded(report) {
      for (const one of all) one.roundEnded(report);
    },
  };
}
