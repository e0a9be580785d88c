import type { GenerationTask, PreferencePair } from '../generator/contract.ts';
import type { LikelihoodFigures, Sample } from '../generator/skills.ts';
import { derivedSeed } from '../random.ts';
import type { GameConfig } from './config.ts';
import type { JudgedCandidate } from './contract.ts';
import { type Game, openJudge, roundFile } from './game.ts';
import { judgeCandidates } from './judge-candidates.ts';
import { formPairs } from './pairs.ts';
import { isRefusal } from './refusals.ts';
import { requireSkill } from './require-skill.ts';

/** `figures`: `null` when nothing passed the filter, so that the policy is the base. */
interface SupervisedRecord {
  readonly figures: LikelihoodFigures | null;
}

/** The policy that a round's preference learning begins with. */
export const SUPERVISED_POLICY = 'supervised.bin';

/**
 * OpenVLThinker's iteration (arXiv 2503.17352): from the base policy supervised learning of what the last policy wrote and
 * the filter passed, then pairs of the new policy's own candidates for the harder tasks. The policy lies in
 * `SUPERVISED_POLICY`.
 */
export async function pairAfterSupervision(
  game: Game,
  round: number,
  tasks: readonly GenerationTask[],
  judged: readonly JudgedCandidate[],
): Promise<readonly PreferencePair[]> {
  const { config, generator, observer } = game;
  await learnFromFiltered(game, round, filteredOutput(tasks, judged, config.filter));
  generator.restore(game.directory.file(roundFile(round, SUPERVISED_POLICY)));
  const hard = hardTasks(tasks, judged, config.supervised.hardBelow);
  if (hard.length === 0) return [];
  const seed = derivedSeed(config.seed, `hard ${round}`);
  const { candidates: count, temperature } = config.attack;
  const candidates = await generator.generate(hard, { count, temperature, seed }, (done, total) =>
    observer.progress('pair', done, total, 'tasks'),
  );
  const judge = await openJudge(game, round - 1);
  const own = await judgeCandidates(judge, game.rate, hard, candidates).finally(() => judge.release());
  return formPairs(hard, own, config.pairs, seed);
}

async function learnFromFiltered(game: Game, round: number, samples: readonly Sample[]): Promise<SupervisedRecord> {
  const { config, directory, generator } = game;
  return directory.json<SupervisedRecord>(roundFile(round, 'supervised.json'), async () => {
    generator.restore(directory.file(roundFile(0, 'generator.bin')));
    const learn = requireSkill(generator, 'learnLikelihood', 'schedule sft-rl');
    const { learningRate, epochs, batchSamples } = config.supervised;
    const options = { learningRate, epochs, batchSamples, seed: derivedSeed(config.seed, `supervised ${round}`) };
    const figures = samples.length > 0 ? await learn(samples, options) : null;
    directory.save(roundFile(round, SUPERVISED_POLICY), (path) => generator.save(path));
    return { figures };
  });
}

/** What fooled the guardrail and kept its label: different texts, no refusals, of about the seed's length. */
export function filteredOutput(
  tasks: readonly GenerationTask[],
  judged: readonly JudgedCandidate[],
  { lengthDifference, perTask }: GameConfig['filter'],
): readonly Sample[] {
  const texts = new Map<number, Set<string>>();
  return judged.flatMap(({ task: number, candidate, level }) => {
    const task = tasks[number]!;
    const own = texts.get(number) ?? new Set();
    texts.set(number, own);
    const { text } = candidate;
    const fits = Math.abs(text.length - task.seed.text.length) <= lengthDifference && !isRefusal(text);
    if (level !== 'chosen' || !fits || own.has(text) || own.size >= perTask) return [];
    own.add(text);
    return [{ task, candidate }];
  });
}

/** Tasks of whose faithful candidates less than this share fooled the guardrail. */
export function hardTasks(
  tasks: readonly GenerationTask[],
  judged: readonly JudgedCandidate[],
  hardBelow: number,
): readonly GenerationTask[] {
  const counts = tasks.map(() => ({ fooled: 0, faithful: 0 }));
  for (const { task, level } of judged) {
    if (level === 'chosen') counts[task]!.fooled++;
    if (level === 'chosen' || level === 'rejected') counts[task]!.faithful++;
  }
  return tasks.filter((_, task) => {
    const { fooled, faithful } = counts[task]!;
    return faithful > 0 && fooled / faithful < hardBelow;
  });
}
