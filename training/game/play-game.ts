import { existsSync, readFileSync } from 'node:fs';
import { z } from 'zod';
import { requireFreeId } from '../../src/checkpoint/publish.ts';
import type { Generator } from '../generator/contract.ts';
import { trainTokenizer } from '../tokenizer/train.ts';
import { type GameConfig, gameConfigSchema } from './config.ts';
import type { GameRow, RateFidelity } from './contract.ts';
import type { Game, PublishPlan } from './game.ts';
import { GameError } from './game-error.ts';
import { GuardrailPlayer } from './guardrail-player.ts';
import type { GameObserver } from './observer.ts';
import { playBaseRound, playRound } from './play-round.ts';
import { checkpointOf } from './publish-round.ts';
import { type BaseRows, readBase } from './read-base.ts';
import { countByLanguage, type GameReport, type RoundReport } from './report.ts';
import { requireSkills } from './require-skill.ts';
import { type Disk, RunDirectory } from './run-directory.ts';
import { type StopReason, stopReason } from './stop.ts';
import { writeReport } from './write-report.ts';

export interface PlayOptions extends PublishPlan {
  readonly config: GameConfig;
  /** Holds all that the run has done; what a resumed run goes on from. */
  readonly runDirectory: string;
  readonly resume: boolean;
  readonly generator: Generator;
  readonly rate: RateFidelity;
  readonly observer: GameObserver;
  readonly disk?: Disk;
}

/**
 * Plays the game: the base guardrail, then rounds until a rule stops it. Killed at any moment it can go on, to the same
 * bytes in everything but the journal. Throws `GameError`, and errors of data and states, each naming what is wrong.
 */
export async function playGame(options: PlayOptions): Promise<GameReport> {
  const { config, generator, observer } = options;
  requireSkills(generator, config);
  const directory = new RunDirectory(options.runDirectory, options.disk);
  openRun(directory, options);
  if (!options.resume) await requireFreeId(options.modelsDirectory, checkpointOf(options.id, config.rounds));
  const base = await baseRows(directory, config, observer);
  const game: Game = {
    config,
    directory,
    generator,
    rate: options.rate,
    guardrail: new GuardrailPlayer(config.guardrail, await tokenizerFor(directory, config, base), directory),
    base,
    plan: options,
    observer,
    quotas: readQuotas(config),
  };
  return playRounds(game);
}

async function playRounds(game: Game): Promise<GameReport> {
  const rounds: RoundReport[] = [];
  for (;;) {
    const round = rounds.length;
    rounds.push(round === 0 ? await playBaseRound(game) : await playRound(game, round));
    const progress = rounds.map(({ meanAuprc: auprc, gap }) => ({ auprc, gap }));
    const stopped = stopReason(progress, game.config);
    const report = gameReport(game, rounds, stopped);
    writeReport(game.directory, report);
    game.observer.roundEnded(rounds[round]!);
    if (stopped === undefined) continue;
    game.observer.log(`the game ends after round ${round}: ${REASONS[stopped]}`);
    return report;
  }
}

const REASONS: Readonly<Record<StopReason, string>> = {
  rounds: 'all rounds are played',
  patience: 'held-out AUPRC no longer rises',
  gap: 'the best-response gap no longer shrinks',
};

function openRun(directory: RunDirectory, { config, id, resume, generator }: PlayOptions): void {
  const settings = `${JSON.stringify({ id, generator: generator.name, config }, null, 2)}\n`;
  const path = directory.file('config.json');
  const started = existsSync(path);
  if (started && !resume) throw new GameError(`${directory.path} holds a run already: --resume continues it`);
  if (!started && resume) throw new GameError(`${directory.path} holds no run to resume`);
  if (!started) directory.writeText('config.json', settings);
  else if (readFileSync(path, 'utf8') !== settings) {
    throw new GameError(`${path} belongs to a run with other settings; choose another run directory`);
  }
  directory.journal({ event: resume ? 'resumed' : 'started' });
}

/** Drawn once and kept, so that a run that goes on does not depend on data that may have changed. */
async function baseRows(directory: RunDirectory, config: GameConfig, observer: GameObserver): Promise<BaseRows> {
  const base = await directory.json<BaseRows>('base.json', () => {
    observer.log('reading and drawing the base set');
    return readBase(config);
  });
  const rows = countByLanguage(base.train);
  const shown = Object.entries(rows).map(([lang, count]) => `${lang} ${count}`);
  observer.log(`base set: ${shown.join(', ')}; ${base.calibration.length + base.evaluation.length} held out`);
  return base;
}

async function tokenizerFor(directory: RunDirectory, config: GameConfig, base: BaseRows): Promise<object> {
  return directory.json<object>('tokenizer.json', () => {
    const texts = base.train.map(({ text }: GameRow) => text);
    return trainTokenizer(texts, { vocabSize: config.guardrail.encoder.vocabSize });
  });
}

const countsSchema = z.object({
  rounds: z.array(z.object({ attack: z.object({ kept: z.record(z.string(), z.number()) }).nullable() })),
});

function readQuotas({ countsFrom }: GameConfig): Game['quotas'] {
  if (countsFrom === undefined) return undefined;
  try {
    const { rounds } = countsSchema.parse(JSON.parse(readFileSync(countsFrom, 'utf8')));
    return rounds.map(({ attack }) => attack?.kept);
  } catch (cause) {
    throw new GameError(`${countsFrom} is no report of a game: ${(cause as Error).message}`, { cause });
  }
}

function gameReport(game: Game, rounds: readonly RoundReport[], stopped: StopReason | undefined): GameReport {
  return {
    format: 1,
    id: game.plan.id,
    generator: game.generator.name,
    config: game.config,
    base: countByLanguage(game.base.train),
    rounds,
    stopped: stopped ?? null,
  };
}

/** What a run directory was started with. Throws a `GameError` that names the file. */
export function savedRun(runDirectory: string): { id: string; config: GameConfig } {
  const path = new RunDirectory(runDirectory).file('config.json');
  if (!existsSync(path)) throw new GameError(`${runDirectory} holds no run to resume`);
  const parsed = z
    .object({ id: z.string(), config: gameConfigSchema })
    .safeParse(JSON.parse(readFileSync(path, 'utf8')));
  if (!parsed.success) throw new GameError(`${path}: ${z.prettifyError(parsed.error)}`);
  return parsed.data;
}
