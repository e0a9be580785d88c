import type { GenerationTask, PreferencePair } from '../generator/contract.ts';
import { derivedSeed } from '../random.ts';
import { calibrationRows } from './calibration-rows.ts';
import type { GameRow, JudgedCandidate } from './contract.ts';
import { type Filtered, filterCandidates } from './filter.ts';
import { type Game, missing, openJudge, roundFile, stage } from './game.ts';
import { type Attack, generate, score } from './generate.ts';
import type { GuardrailRecord } from './guardrail-player.ts';
import { keepInitialGenerator, trainGenerator } from './learn.ts';
import { measure } from './measure.ts';
import { pairCandidates } from './pair-candidates.ts';
import { toTrlRow } from './pairs.ts';
import { publishRound } from './publish-round.ts';
import { countByLanguage, countLevels, type RoundReport, roundReport, sampleTexts } from './report.ts';
import { type Separability, separability } from './separability.ts';

/**
 * One round. The generator of the round before attacks the guardrail of the round before; both learn from it. Each stage
 * leaves its files in `round-<n>/` and is not done again where they are.
 */
export async function playRound(game: Game, round: number): Promise<RoundReport> {
  const attack = await stage(game, round, 'generate', () => generate(game, round));
  const judged = await stage(game, round, 'score', () => score(game, round, attack));
  const pairs = await stage(game, round, 'pair', () => pair(game, round, attack, judged));
  const learned = await stage(game, round, 'train-generator', () => trainGenerator(game, round, pairs));
  const filtered = await stage(game, round, 'filter', () => filter(game, round, attack, judged));
  const rows = [...game.base.train, ...(await keptBefore(game, round)), ...filtered.kept];
  const guardrail = await stage(game, round, 'train-guardrail', () => trainGuardrail(game, round, rows));
  const evaluation = await stage(game, round, 'evaluate', () => measure(game, round));
  const published = await stage(game, round, 'publish', () => publishRound(game, round, evaluation, rows));
  return roundReport(round, {
    attack: {
      tasks: attack.tasks.length,
      candidates: judged.length,
      levels: countLevels(judged),
      pairs: pairs.length,
      separability: await probeSeparability(game, round, pairs),
      learned: learned.figures,
      kept: countByLanguage(filtered.kept),
      leftOut: filtered.left,
      samples: sampleTexts(attack.tasks, judged),
    },
    guardrail,
    rows,
    evaluation,
    published,
  });
}

/** Round 0: the guardrail that knows the base set only, and the generator as it comes. */
export async function playBaseRound(game: Game): Promise<RoundReport> {
  await keepInitialGenerator(game);
  const rows = game.base.train;
  const guardrail = await stage(game, 0, 'train-guardrail', () => trainGuardrail(game, 0, rows));
  const evaluation = await stage(game, 0, 'evaluate', () => measure(game, 0));
  return roundReport(0, { attack: null, guardrail, rows, evaluation, published: null });
}

/** Preference pairs, also in the format that TRL reads. */
async function pair(
  game: Game,
  round: number,
  { tasks }: Attack,
  judged: readonly JudgedCandidate[],
): Promise<readonly PreferencePair[]> {
  const { directory } = game;
  return directory.lines(roundFile(round, 'pairs.jsonl'), async () => {
    const pairs = await pairCandidates(game, round, tasks, judged);
    const lines = pairs.map((one) => `${JSON.stringify(toTrlRow(one))}\n`);
    directory.writeText(roundFile(round, 'pairs.trl.jsonl'), lines.join(''));
    return pairs;
  });
}

/** Pairs that a linear probe tells apart may teach the generator a cue instead of what fools the guardrail. */
async function probeSeparability(
  { config, directory, observer }: Game,
  round: number,
  pairs: readonly PreferencePair[],
): Promise<Separability> {
  const found = await directory.json(roundFile(round, 'separability.json'), () =>
    separability(pairs, derivedSeed(config.seed, `separability ${round}`)),
  );
  if (found.accuracy !== null && found.accuracy > config.pairs.separabilityLimit) {
    const share = `${(100 * found.accuracy).toFixed(1)} %`;
    observer.log(
      `warning: a linear probe tells chosen from rejected texts in ${share} of cases: a cue may be rewarded`,
    );
  }
  return found;
}

async function filter(
  game: Game,
  round: number,
  { tasks }: Attack,
  judged: readonly JudgedCandidate[],
): Promise<Filtered> {
  const { config, directory, quotas } = game;
  const earlier = await keptBefore({ directory }, round);
  return directory.json(roundFile(round, 'kept.json'), async () =>
    filterCandidates({
      tasks,
      judged,
      earlier,
      round,
      limits: config.filter,
      known: config.filter.knownSeeds ? await knownSeeds(game, round, tasks) : undefined,
      selection: config.selection,
      east: config.weighting === 'east' ? config.east : undefined,
      seed: derivedSeed(config.seed, `filter ${round}`),
      quotas: quotas?.[round],
    }),
  );
}

/** By task, whether the guardrail that was attacked classifies the seed itself correctly. */
async function knownSeeds(game: Game, round: number, tasks: readonly GenerationTask[]): Promise<readonly boolean[]> {
  const seeds = new Map(tasks.map(({ seed }) => [seed.id, seed]));
  const judge = await openJudge(game, round - 1);
  const judgements = await judge.judge([...seeds.values()].map(({ text }) => text)).finally(() => judge.release());
  const known = new Map([...seeds.values()].map(({ id, unsafe }, i) => [id, judgements[i]!.flagged === unsafe]));
  return tasks.map(({ seed }) => known.get(seed.id)!);
}

async function keptBefore({ directory }: Pick<Game, 'directory'>, round: number): Promise<readonly GameRow[]> {
  const kept: GameRow[] = [];
  for (let before = 1; before < round; before++) {
    const name = roundFile(before, 'kept.json');
    kept.push(...(await directory.json<Filtered>(name, () => missing(directory.file(name)))).kept);
  }
  return kept;
}

async function trainGuardrail(game: Game, round: number, rows: readonly GameRow[]): Promise<GuardrailRecord> {
  const { config, directory, guardrail, observer } = game;
  const calibration = await calibrationRows(game);
  const warmStart = config.warmStart && round > 0 ? roundFile(round - 1, 'guardrail.bin') : undefined;
  return directory.json(roundFile(round, 'guardrail.json'), () =>
    guardrail.train(rows, calibration, roundFile(round, 'guardrail.bin'), warmStart, (done, total) =>
      observer.progress('train-guardrail', done, total, 'steps'),
    ),
  );
}
