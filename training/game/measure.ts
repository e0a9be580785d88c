import { readDataset } from '../data/dataset.ts';
import { type EvaluationReport, evaluate, type LabelledRow } from '../evaluation/evaluate.ts';
import type { GenerationTask } from '../generator/contract.ts';
import { derivedSeed } from '../random.ts';
import { type AttackSuccess, attackSuccess, bestResponseGap, estimateKl, gameValue, type Probe } from './attack.ts';
import { type Game, missing, openJudge, roundFile } from './game.ts';
import type { LanguageFigures } from './gate.ts';
import { requireCandidates } from './generate.ts';
import { type HorizonFigures, horizonFigures } from './horizons.ts';
import type { Judge } from './judge.ts';
import { drawTasks } from './tasks.ts';

/** How the generator of one round fares against the guardrail of another. */
export interface Encounter extends AttackSuccess {
  readonly generator: number;
  readonly guardrail: number;
}

export interface RoundEvaluation {
  /** Of this round's guardrail. */
  readonly heldOut: readonly LanguageFigures[];
  readonly benchmark: EvaluationReport | null;
  /** The new row and column of the cross-round matrix. */
  readonly encounters: readonly Encounter[];
  /** Of this round's generator against its guardrail and earlier ones; absent where the game does not look ahead. */
  readonly horizons?: readonly HorizonFigures[];
  readonly gap: number | null;
  /** From this round's generator to the first, nats per candidate. */
  readonly kl: number;
  readonly value: number | null;
}

/** Measures the round's guardrail on held-out rows and on attacks by every generator so far, and its generator. */
export async function measure(game: Game, round: number): Promise<RoundEvaluation> {
  return game.directory.json(roundFile(round, 'evaluation.json'), async () => {
    const tasks = probeTasks(game);
    const probes = await probeWith(game, round, tasks);
    const judge = await openJudge(game, round);
    try {
      const ahead = game.config.evaluate.horizons;
      const horizons: HorizonFigures[] = [];
      const encounters: Encounter[] = [];
      for (let generator = 0; generator < round; generator++) {
        encounters.push(await meet(judge, tasks, await storedProbes(game, generator), { generator, guardrail: round }));
      }
      const texts = probes.map(({ candidate }) => candidate.text);
      const judgements = await judge.judge(texts);
      const newest = attackSuccess(tasks, probes, judgements);
      const same = { generator: round, guardrail: round };
      encounters.push({ ...same, ...newest });
      horizons.push(horizonFigures(tasks, probes, judgements, same));
      for (let guardrail = 0; guardrail < round; guardrail++) {
        const older = await openJudge(game, guardrail);
        const judged = await older.judge(texts).finally(() => older.release());
        const who = { generator: round, guardrail };
        encounters.push({ ...who, ...attackSuccess(tasks, probes, judged) });
        if (round - guardrail <= ahead) horizons.push(horizonFigures(tasks, probes, judged, who));
      }
      const againstFirst = encounters.find((one) => one.generator === round && one.guardrail === 0)!;
      return {
        heldOut: await heldOutFigures(game, judge),
        benchmark: await onBenchmark(game, judge),
        encounters,
        ...(ahead > 0 ? { horizons } : {}),
        gap: bestResponseGap(newest, againstFirst),
        kl: estimateKl(probes),
        value: gameValue(tasks, probes, judgements, game.config.generator.beta),
      };
    } finally {
      await judge.release();
    }
  });
}

function probeTasks({ config, base, generator }: Game): readonly GenerationTask[] {
  const seed = derivedSeed(config.seed, 'probe');
  return drawTasks(base.evaluation, config.attack.probeSeeds, generator, config, seed);
}

/** The same held-out seeds in every round, rewritten by its generator at temperature 1. */
async function probeWith(game: Game, round: number, tasks: readonly GenerationTask[]): Promise<readonly Probe[]> {
  const { config, directory, generator, rate, observer } = game;
  return directory.lines(roundFile(round, 'probe.jsonl'), async () => {
    generator.restore(directory.file(roundFile(round, 'generator.bin')));
    const written = await generator.generate(
      tasks,
      { count: config.attack.probeCandidates, temperature: 1, seed: derivedSeed(config.seed, 'probe') },
      (done, total) => observer.progress('evaluate', done, total, 'tasks'),
    );
    const probes = requireCandidates(generator.name, tasks, written).flatMap((own, task) =>
      own.map((candidate) => ({ task, candidate, rating: rate(tasks[task]!, candidate.text).rating })),
    );
    generator.restore(directory.file(roundFile(0, 'generator.bin')));
    const reference = await generator.logProbabilities(
      probes.map(({ task }) => tasks[task]!),
      probes.map(({ candidate }) => candidate),
    );
    return probes.map((probe, index) => ({ ...probe, referenceLogProbability: reference[index]! }));
  });
}

async function storedProbes({ directory }: Game, round: number): Promise<readonly Probe[]> {
  const name = roundFile(round, 'probe.jsonl');
  return directory.lines<Probe>(name, () => missing(directory.file(name)));
}

async function meet(
  judge: Judge,
  tasks: readonly GenerationTask[],
  probes: readonly Probe[],
  who: { generator: number; guardrail: number },
): Promise<Encounter> {
  const judgements = await judge.judge(probes.map(({ candidate }) => candidate.text));
  return { ...who, ...attackSuccess(tasks, probes, judgements) };
}

async function heldOutFigures({ base }: Game, judge: Judge): Promise<readonly LanguageFigures[]> {
  const rows = base.evaluation.map(({ lang, unsafe }) => ({ benchmark: 'held-out', lang, unsafe }));
  const { groups } = evaluate(rows, await judge.judge(base.evaluation.map(({ text }) => text)));
  return groups
    .map(({ lang, n, positives, auprc, f1, recall, fpr }) => ({ lang, n, safe: n - positives, auprc, f1, recall, fpr }))
    .sort((a, b) => (a.lang < b.lang ? -1 : 1));
}

async function onBenchmark({ config }: Game, judge: Judge): Promise<EvaluationReport | null> {
  if (config.data.benchmark === undefined) return null;
  const texts: string[] = [];
  const rows: LabelledRow[] = [];
  for await (const { text, benchmark, source, lang, unsafe } of (await readDataset(config.data.benchmark)).rows()) {
    texts.push(text);
    rows.push({ benchmark: benchmark ?? source, lang, unsafe });
  }
  return evaluate(rows, await judge.judge(texts));
}
