import {
  alwaysUnsafeF1,
  auroc,
  averagePrecision,
  confusion,
  expectedCalibrationError,
  f1,
  falsePositiveRate,
  precision,
  recall,
} from './metrics.ts';

export interface LabelledRow {
  readonly benchmark: string;
  readonly lang: string;
  readonly unsafe: boolean;
}

export interface Prediction {
  /** Probability of unsafe, 0 to 1. */
  readonly score: number;
  readonly flagged: boolean;
}

/** Fractions 0 to 1; null where the rows cannot define the metric. */
export interface Metrics {
  readonly n: number;
  readonly positives: number;
  readonly f1: number | null;
  readonly precision: number | null;
  readonly recall: number | null;
  readonly fpr: number | null;
  readonly auprc: number | null;
  readonly auroc: number | null;
  readonly ece: number | null;
  readonly always_unsafe_f1: number | null;
}

export interface GroupReport extends Metrics {
  readonly benchmark: string;
  readonly lang: string;
}

/** Unweighted means over benchmarks. F1 (and always-unsafe F1) over those with unsafe rows, the rest over two-sided ones. */
export interface LanguageReport {
  readonly lang: string;
  readonly benchmarks: number;
  readonly two_sided_benchmarks: number;
  readonly f1: number | null;
  readonly fpr: number | null;
  readonly auprc: number | null;
  readonly always_unsafe_f1: number | null;
}

export interface EvaluationReport {
  readonly n: number;
  /** By benchmark and language, in order of first appearance. */
  readonly groups: readonly GroupReport[];
  readonly languages: readonly LanguageReport[];
}

/** `predictions[i]` belongs to `rows[i]`. */
export function evaluate(rows: readonly LabelledRow[], predictions: readonly Prediction[]): EvaluationReport {
  if (rows.length !== predictions.length) {
    throw new RangeError(`${rows.length} rows but ${predictions.length} predictions`);
  }
  const groups = [...groupBy(rows.keys(), (row) => JSON.stringify([rows[row]?.benchmark, rows[row]?.lang])).values()];
  const reports = groups.map((members) => {
    const { benchmark, lang } = rows[members[0] as number] as LabelledRow;
    const labels = members.map((row) => (rows[row] as LabelledRow).unsafe);
    return {
      benchmark,
      lang,
      ...measure(
        labels,
        members.map((row) => predictions[row] as Prediction),
      ),
    };
  });
  const languages = [...groupBy(reports, (report) => report.lang)].map(([lang, own]) => summarise(lang, own));
  return { n: rows.length, groups: reports, languages };
}

function measure(labels: readonly boolean[], predictions: readonly Prediction[]): Metrics {
  const scores = predictions.map((prediction) => prediction.score);
  const counts = confusion(
    labels,
    predictions.map((prediction) => prediction.flagged),
  );
  return {
    n: labels.length,
    positives: counts.truePositives + counts.falseNegatives,
    f1: f1(counts),
    precision: precision(counts),
    recall: recall(counts),
    fpr: falsePositiveRate(counts),
    auprc: averagePrecision(labels, scores),
    auroc: auroc(labels, scores),
    ece: expectedCalibrationError(labels, scores),
    always_unsafe_f1: alwaysUnsafeF1(labels),
  };
}

function summarise(lang: string, groups: readonly GroupReport[]): LanguageReport {
  const twoSided = groups.filter((group) => group.positives > 0 && group.positives < group.n);
  return {
    lang,
    benchmarks: groups.length,
    two_sided_benchmarks: twoSided.length,
    f1: mean(groups.map((group) => group.f1)),
    fpr: mean(twoSided.map((group) => group.fpr)),
    auprc: mean(twoSided.map((group) => group.auprc)),
    always_unsafe_f1: mean(groups.map((group) => group.always_unsafe_f1)),
  };
}

function mean(values: readonly (number | null)[]): number | null {
  const known = values.filter((value) => value !== null);
  return known.length === 0 ? null : known.reduce((sum, value) => sum + value, 0) / known.length;
}

function groupBy<T>(items: Iterable<T>, key: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const group = groups.get(key(item));
    if (group) group.push(item);
    else groups.set(key(item), [item]);
  }
  return groups;
}
