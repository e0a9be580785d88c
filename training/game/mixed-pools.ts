import { resolve } from 'node:path';
import type { GenerationTask } from '../generator/contract.ts';
import { derivedSeed } from '../random.ts';
import type { JudgedCandidate } from './contract.ts';
import { type Game, openJudge, roundFile } from './game.ts';
import { requireCandidates } from './generate.ts';
import { judgeCandidates } from './judge-candidates.ts';

/**
 * With `pairs.sides: mixed` the chosen candidates of a round come from another state of the generator and the rejected
 * ones from its own, the practice that "More is Less" warns of. With `single-model` both are its own.
 */
export async function poolsOf(
  game: Game,
  round: number,
  tasks: readonly GenerationTask[],
  judged: readonly JudgedCandidate[],
): Promise<readonly JudgedCandidate[]> {
  if (game.config.pairs.sides === 'single-model') return judged;
  const others = await game.directory.lines(roundFile(round, 'other-pool.jsonl'), () =>
    writeOtherPool(game, round, tasks),
  );
  return [...others.filter(({ level }) => level === 'chosen'), ...judged.filter(({ level }) => level !== 'chosen')];
}

/** On the round's tasks and judged by the same guardrail. */
async function writeOtherPool(game: Game, round: number, tasks: readonly GenerationTask[]): Promise<JudgedCandidate[]> {
  const { config, directory, generator, rate, observer } = game;
  const { otherGenerator } = config.pairs;
  generator.restore(
    otherGenerator === undefined ? directory.file(roundFile(0, 'generator.bin')) : resolve(otherGenerator),
  );
  const { candidates: count, temperature } = config.attack;
  const seed = derivedSeed(config.seed, `other pool ${round}`);
  const written = await generator.generate(tasks, { count, temperature, seed }, (done, total) =>
    observer.progress('pair', done, total, 'tasks'),
  );
  const judge = await openJudge(game, round - 1);
  return judgeCandidates(judge, rate, tasks, requireCandidates(generator.name, tasks, written)).finally(() =>
    judge.release(),
  );
}
