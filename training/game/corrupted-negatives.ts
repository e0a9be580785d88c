import type { GenerationTask } from '../generator/contract.ts';
import { derivedSeed } from '../random.ts';
import { type Game, roundFile } from './game.ts';
import type { LevelledCandidate } from './pairs.ts';

/**
 * Rejected candidates as in STIC (arXiv 2405.19716): what the generator writes when it reads a corrupted seed or is given
 * a misleading condition, half and half, for every task that has a chosen candidate. Nobody judges them; only those that
 * are no different from a chosen one are left out.
 */
export async function corruptedNegatives(
  { config, directory, generator, observer }: Game,
  round: number,
  tasks: readonly GenerationTask[],
  judged: readonly LevelledCandidate[],
): Promise<LevelledCandidate[]> {
  const chosen = judged.filter(({ level }) => level === 'chosen');
  const numbers = [...new Set(chosen.map(({ task }) => task))];
  const written = await directory.lines(roundFile(round, 'corrupted.jsonl'), () => {
    generator.restore(directory.file(roundFile(round - 1, 'generator.bin')));
    return generator.generate(
      numbers.map((task) => tasks[task]!),
      {
        count: 2 * Math.ceil(config.pairs.perTask / 2),
        temperature: config.attack.temperature,
        seed: derivedSeed(config.seed, `corrupted ${round}`),
        corrupted: true,
      },
      (done, total) => observer.progress('pair', done, total, 'tasks'),
    );
  });
  const texts = new Set(chosen.map(({ task, candidate }) => `${task} ${candidate.text}`));
  const rejected = written.flatMap((own, i) =>
    own.map((candidate): LevelledCandidate => ({ task: numbers[i]!, candidate, level: 'rejected' })),
  );
  return [...chosen, ...rejected.filter(({ task, candidate }) => !texts.has(`${task} ${candidate.text}`))];
}
