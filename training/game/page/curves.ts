import type { LanguageFigures } from '../gate.ts';
import type { GameReport, RoundReport } from '../report.ts';
import { type LineChart, lineChart, type Series } from './line-chart.ts';
import type { Markup } from './markup.ts';
import { decimals, percent, short, shortPercent } from './numbers.ts';

const IN_PERCENT = { from: 0, format: percent, formatTick: shortPercent } as const;

type Measure = 'auprc' | 'f1' | 'fpr';

/** Curves by round and language: AUPRC, F1 and FPR on held-out rows, attack success, share of synthetic rows. */
export function heldOutCurves(report: GameReport): readonly Markup[] {
  const { rounds } = report;
  const measure = (name: Measure) =>
    byLanguage(report, ({ heldOut }, lang) => heldOut.find((own) => own.lang === lang)?.[name] ?? null);
  const charts: readonly Omit<LineChart, keyof typeof IN_PERCENT>[] = [
    { title: 'AUPRC', note: 'held-out rows, higher is better', series: [...measure('auprc'), meanOf(rounds)] },
    { title: 'F1', note: 'held-out rows at the thresholds, higher is better', series: measure('f1') },
    { title: 'False-positive rate', note: 'held-out safe rows, lower is better', series: measure('fpr'), zero: true },
    {
      title: 'Attack success',
      note: "each round's generator against its guardrail",
      series: byLanguage(report, ({ round, encounters }, lang) => newest(round, encounters)?.byLanguage[lang] ?? null),
      zero: true,
    },
    {
      title: 'Synthetic rows',
      note: 'share of the training set',
      series: byLanguage(report, ({ syntheticShare }, lang) => syntheticShare[lang] ?? null),
      zero: true,
    },
  ];
  return charts.map((chart) => lineChart({ ...chart, ...IN_PERCENT }));
}

/** The same on the benchmark, mean over its sources; none where there was no benchmark. */
export function benchmarkCurves(report: GameReport): readonly Markup[] {
  if (report.rounds.every(({ benchmark }) => benchmark === null)) return [];
  const measure = (name: Measure) =>
    byLanguage(report, ({ benchmark }, lang) => {
      return benchmark?.languages.find((own) => own.lang === lang)?.[name] ?? null;
    });
  const titles: readonly (readonly [Measure, string, string])[] = [
    ['auprc', 'AUPRC', 'mean over the benchmarks, higher is better'],
    ['f1', 'F1', 'mean over the benchmarks, higher is better'],
    ['fpr', 'False-positive rate', 'mean over the benchmarks, lower is better'],
  ];
  return titles.map(([name, title, note]) =>
    lineChart({ title, note, series: measure(name), zero: name === 'fpr', ...IN_PERCENT }),
  );
}

/** Best-response gap, KL of the generator to the first one, value of the game. */
export function gameCurves({ rounds }: GameReport): readonly Markup[] {
  const single = (name: string, figureOf: (round: RoundReport) => number | null): readonly Series[] => [
    { name, values: rounds.map(figureOf) },
  ];
  return [
    lineChart({
      title: 'Best-response gap',
      note: 'the further below 0, the more the guardrail takes from the generator',
      series: single('gap', ({ gap }) => gap),
      zero: true,
      ...IN_PERCENT,
    }),
    lineChart({
      title: 'KL to the first generator',
      note: 'nats per candidate',
      series: single('KL', ({ kl }) => kl),
      from: 0,
      format: short,
      zero: true,
    }),
    lineChart({
      title: 'Value of the game',
      note: "E[−log p(y|x')] − β KL, in nats; the generator wants it high",
      series: single('value', ({ value }) => value),
      from: 0,
      format: (value) => String(Number(decimals(value))),
    }),
  ];
}

/** Every language that has figures or rows, in the order of the base set. */
function languagesOf({ base, rounds }: GameReport): readonly string[] {
  const named = rounds.flatMap(({ heldOut, syntheticShare, benchmark }) => [
    ...heldOut.map(({ lang }: LanguageFigures) => lang),
    ...Object.keys(syntheticShare),
    ...(benchmark?.languages.map(({ lang }) => lang) ?? []),
  ]);
  const bySize = Object.entries(base).sort(([, a], [, b]) => b - a);
  return [...new Set([...bySize.map(([lang]) => lang), ...named])];
}

/** Languages without any value are left out. */
function byLanguage(
  report: GameReport,
  figureOf: (round: RoundReport, lang: string) => number | null,
): readonly Series[] {
  return languagesOf(report).flatMap((lang, slot) => {
    const values = report.rounds.map((round) => figureOf(round, lang));
    return values.every((value) => value === null) ? [] : [{ name: lang, slot, values }];
  });
}

function meanOf(rounds: readonly RoundReport[]): Series {
  return { name: 'mean', values: rounds.map(({ meanAuprc }) => meanAuprc) };
}

function newest(round: number, encounters: RoundReport['encounters']) {
  return encounters.find(({ generator, guardrail }) => generator === round && guardrail === round);
}
