import type { Candidate, GenerationTask } from '../generator/contract.ts';
import { derivedSeed } from '../random.ts';
import type { JudgedCandidate } from './contract.ts';
import { type Game, openJudge, roundFile } from './game.ts';
import { GameError } from './game-error.ts';
import { judgeCandidates } from './judge-candidates.ts';
import { drawTasks } from './tasks.ts';

export interface Attack {
  readonly tasks: readonly GenerationTask[];
  /** By task. */
  readonly candidates: readonly (readonly Candidate[])[];
}

/** Rewrites new seeds with the generator of the round before. */
export async function generate(game: Game, round: number): Promise<Attack> {
  const { config, directory, generator, base, observer } = game;
  const seed = derivedSeed(config.seed, `round ${round}`);
  const tasks = drawTasks(base.train, config.attack.seeds, generator, config, seed);
  const candidates = await directory.lines(roundFile(round, 'candidates.jsonl'), async () => {
    generator.restore(directory.file(roundFile(round - 1, 'generator.bin')));
    const { candidates: count, temperature, guidance } = config.attack;
    const written = await generator.generate(tasks, { count, temperature, guidance, seed }, (done, total) =>
      observer.progress('generate', done, total, 'tasks'),
    );
    return requireCandidates(generator.name, tasks, written);
  });
  return { tasks, candidates };
}

/** Throws when a generator wrote nothing, or not one list for each task. */
export function requireCandidates(
  name: string,
  tasks: readonly GenerationTask[],
  written: readonly (readonly Candidate[])[],
): readonly (readonly Candidate[])[] {
  if (written.length !== tasks.length) {
    throw new GameError(`${name} answered ${tasks.length} tasks with ${written.length} lists of candidates`);
  }
  if (written.some((own) => own.length > 0)) return written;
  throw new GameError(`${name} wrote no candidate for any of ${tasks.length} tasks`);
}

interface StoredJudgement extends Omit<JudgedCandidate, 'candidate'> {
  /** Number among the task's candidates. */
  readonly index: number;
}

/** What the guardrail of the round before says of the candidates, and how faithful they are. */
export async function score(game: Game, round: number, { tasks, candidates }: Attack): Promise<JudgedCandidate[]> {
  const { directory, rate, observer } = game;
  const stored = await directory.lines(roundFile(round, 'judged.jsonl'), async () => {
    const numbers = candidates.flatMap((own) => [...own.keys()]);
    const judge = await openJudge(game, round - 1);
    const judged = await judgeCandidates(judge, rate, tasks, candidates, (done, total) =>
      observer.progress('score', done, total, 'windows'),
    ).finally(() => judge.release());
    return judged.map(
      ({ task, candidate: _, ...rest }, at): StoredJudgement => ({ task, index: numbers[at]!, ...rest }),
    );
  });
  return stored.map(({ index, ...judged }) => ({ ...judged, candidate: candidates[judged.task]![index]! }));
}
