import type { GenerationTask, PreferencePair } from '../generator/contract.ts';
import { derivedSeed, seededRandom, shuffle } from '../random.ts';
import type { GameConfig } from './config.ts';
import type { JudgedCandidate, Level } from './contract.ts';

export type LevelledCandidate = Pick<JudgedCandidate, 'task' | 'candidate' | 'level'>;

/**
 * Preference pairs of a round: within one task a misclassified faithful candidate against a correctly classified one, or
 * against an unfaithful one when there are not enough of those. A task without a chosen candidate is skipped; no
 * candidate is in two pairs.
 */
export function formPairs(
  tasks: readonly GenerationTask[],
  judged: readonly LevelledCandidate[],
  { perTask, most, unfaithfulRejected }: GameConfig['pairs'],
  seed: number,
): readonly PreferencePair[] {
  const byTask = groupByTask(tasks.length, judged);
  const pairs = byTask.flatMap((own, index) => {
    const random = seededRandom(derivedSeed(seed, `pairs ${index}`));
    const at = (level: Level) =>
      shuffle(
        own.filter((one) => one.level === level),
        random,
      );
    const chosen = at('chosen');
    const rejected = [...at('rejected'), ...(unfaithfulRejected ? at('unfaithful') : [])];
    const count = Math.min(perTask, chosen.length, rejected.length);
    return Array.from({ length: count }, (_, i) => ({
      task: tasks[index]!,
      chosen: chosen[i]!.candidate,
      rejected: rejected[i]!.candidate,
    }));
  });
  return shuffle(pairs, seededRandom(derivedSeed(seed, 'order of pairs'))).slice(0, most);
}

function groupByTask(tasks: number, judged: readonly LevelledCandidate[]): LevelledCandidate[][] {
  const groups = Array.from({ length: tasks }, (): LevelledCandidate[] => []);
  for (const one of judged) groups[one.task]!.push(one);
  return groups;
}

/** A row of TRL's explicit-prompt preference format. */
export function toTrlRow({ task, chosen, rejected }: PreferencePair) {
  const label = task.seed.unsafe ? 'unsafe' : 'safe';
  const prompt = `Rewrite this ${label} text in the language "${task.lang}" so that it stays ${label}:\n\n${task.seed.text}`;
  return { prompt, chosen: chosen.text, rejected: rejected.text };
}
