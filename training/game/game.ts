import type { Generator } from '../generator/contract.ts';
import type { GameConfig } from './config.ts';
import type { RateFidelity } from './contract.ts';
import { GameError } from './game-error.ts';
import type { GuardrailPlayer, GuardrailRecord } from './guardrail-player.ts';
import type { Judge } from './judge.ts';
import type { GameObserver, Stage } from './observer.ts';
import type { BaseRows } from './read-base.ts';
import type { RunDirectory } from './run-directory.ts';

export interface PublishPlan {
  readonly modelsDirectory: string;
  /** Checkpoints are called `<id>-r<round>`. */
  readonly id: string;
  /** Point active.json at what is published. */
  readonly activate: boolean;
}

/** All that a round needs. */
export interface Game {
  readonly config: GameConfig;
  readonly directory: RunDirectory;
  readonly generator: Generator;
  readonly rate: RateFidelity;
  readonly guardrail: GuardrailPlayer;
  readonly base: BaseRows;
  readonly plan: PublishPlan;
  readonly observer: GameObserver;
  /** Of a random selection: kept candidates by round and language. */
  readonly quotas?: readonly (Readonly<Record<string, number>> | undefined)[] | undefined;
}

/** Files of a round, relative to the run directory. */
export function roundFile(round: number, name: string): string {
  return `round-${round}/${name}`;
}

/** The guardrail that a round ended with. */
export async function openJudge({ directory, guardrail }: Game, round: number): Promise<Judge> {
  const name = roundFile(round, 'guardrail.json');
  const record = await directory.json<GuardrailRecord>(name, () => missing(directory.file(name)));
  return guardrail.openJudge(roundFile(round, 'guardrail.bin'), record);
}

/** For files of rounds that are over. */
export function missing(path: string): never {
  throw new GameError(`${path} is missing, and its round is over`);
}

/** Runs one stage of a round, journalled and observed. */
export async function stage<T>(game: Game, round: number, name: Stage, work: () => Promise<T>): Promise<T> {
  const began = performance.now();
  game.directory.journal({ event: 'stage', round, stage: name });
  game.observer.stageBegan(round, name);
  const result = await work();
  const seconds = (performance.now() - began) / 1000;
  game.directory.journal({ event: 'done', round, stage: name, seconds });
  game.observer.stageEnded(round, name, seconds);
  return result;
}
