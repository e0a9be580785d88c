import type { GenerationTask, PreferenceFigures, PreferencePair } from '../generator/contract.ts';
import { derivedSeed, seededRandom, shuffle } from '../random.ts';
import { type Game, missing, openJudge, roundFile } from './game.ts';
import { judgeCandidates } from './judge-candidates.ts';
import { requireSkill } from './require-skill.ts';
import { StopHead } from './stop-head.ts';
import { writeInChunks } from './write-in-chunks.ts';

/** Of a round whose pairs were learned as they arose. */
export interface OnlineRecord {
  /** `null` when there was no pair. */
  readonly figures: PreferenceFigures | null;
  readonly nodes: number;
  readonly stopped: number;
  readonly stopWeights: readonly number[];
}

/** The policy that has learned while it wrote. */
export const ONLINE_POLICY = 'online.bin';

/** Pairs and learns while some of the round's tasks are written anew, in chunks. The policy lies in `ONLINE_POLICY`. */
export async function pairOnline(
  game: Game,
  round: number,
  tasks: readonly GenerationTask[],
): Promise<readonly PreferencePair[]> {
  const { config, directory, generator, observer } = game;
  const settings = config.pairs.online;
  const seed = derivedSeed(config.seed, `online ${round}`);
  const before = round > 1 ? await onlineRecord(game, round - 1) : undefined;
  generator.restore(directory.file(roundFile(round - 1, 'generator.bin')));
  const learner = requireSkill(generator, 'learnOnline', 'pairs.mode online')(settings);
  const stopHead = new StopHead(before?.stopWeights);
  const judge = await openJudge(game, round - 1);
  try {
    const { pairs, nodes, stopped } = await writeInChunks(
      {
        tasks: shuffle([...tasks], seededRandom(seed)).slice(0, settings.tasks),
        rollOut: requireSkill(generator, 'rollOut', 'pairs.mode online'),
        judge: async (own, candidates) =>
          (await judgeCandidates(judge, game.rate, own, candidates)).map(({ level }) => level),
        learner,
        stopHead,
        settings,
        unfaithfulRejected: config.pairs.unfaithfulRejected,
        temperature: config.attack.temperature,
        seed,
      },
      (done, total) => observer.progress('pair', done, total, 'tasks'),
    );
    const figures = pairs.length > 0 ? learner.figures() : null;
    const record: OnlineRecord = { figures, nodes, stopped, stopWeights: stopHead.weights };
    directory.save(roundFile(round, ONLINE_POLICY), (path) => generator.save(path));
    directory.writeText(roundFile(round, 'online.json'), `${JSON.stringify(record, null, 2)}\n`);
    return pairs;
  } finally {
    await judge.release();
  }
}

export async function onlineRecord({ directory }: Game, round: number): Promise<OnlineRecord> {
  const name = roundFile(round, 'online.json');
  return directory.json<OnlineRecord>(name, () => missing(directory.file(name)));
}
