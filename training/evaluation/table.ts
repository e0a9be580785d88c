import type { EvaluationReport, GroupReport, LanguageReport } from './evaluate.ts';

interface Column<T> {
  readonly title: string;
  readonly cell: (row: T) => string;
  /** Names start at the left, numbers end at the right. */
  readonly left?: true;
}

const GROUP_COLUMNS: readonly Column<GroupReport>[] = [
  { title: 'benchmark', cell: (row) => row.benchmark, left: true },
  { title: 'lang', cell: (row) => row.lang, left: true },
  { title: 'n', cell: (row) => String(row.n) },
  { title: 'unsafe', cell: (row) => String(row.positives) },
  { title: 'F1', cell: (row) => percent(row.f1) },
  { title: 'prec.', cell: (row) => percent(row.precision) },
  { title: 'recall', cell: (row) => percent(row.recall) },
  { title: 'FPR', cell: (row) => percent(row.fpr) },
  { title: 'AUPRC', cell: (row) => percent(row.auprc) },
  { title: 'AUROC', cell: (row) => percent(row.auroc) },
  { title: 'ECE', cell: (row) => percent(row.ece) },
  { title: 'always unsafe F1', cell: (row) => percent(row.always_unsafe_f1) },
];

const LANGUAGE_COLUMNS: readonly Column<LanguageReport>[] = [
  { title: 'mean of', cell: (row) => row.lang, left: true },
  { title: 'benchmarks', cell: (row) => String(row.benchmarks) },
  { title: 'two-sided', cell: (row) => String(row.two_sided_benchmarks) },
  { title: 'F1', cell: (row) => percent(row.f1) },
  { title: 'FPR', cell: (row) => percent(row.fpr) },
  { title: 'AUPRC', cell: (row) => percent(row.auprc) },
  { title: 'always unsafe F1', cell: (row) => percent(row.always_unsafe_f1) },
];

/** The report for a terminal, in percent. A dash: the rows cannot define it. */
export function formatReport(report: EvaluationReport): string {
  const languages = formatTable(LANGUAGE_COLUMNS, report.languages);
  return `${formatTable(GROUP_COLUMNS, report.groups)}\n\n${languages}\n(FPR and AUPRC: means over two-sided benchmarks)\n`;
}

function formatTable<T>(columns: readonly Column<T>[], rows: readonly T[]): string {
  const lines = [columns.map((column) => column.title), ...rows.map((row) => columns.map(({ cell }) => cell(row)))];
  const widths = columns.map((_, at) => Math.max(...lines.map((line) => (line[at] as string).length)));
  const format = (line: readonly string[]) =>
    line
      .map((cell, at) => (columns[at]?.left ? cell.padEnd(widths[at] as number) : cell.padStart(widths[at] as number)))
      .join('  ')
      .trimEnd();
  const [head, ...body] = lines.map(format);
  return [head, widths.map((width) => '-'.repeat(width)).join('  '), ...body].join('\n');
}

function percent(value: number | null): string {
  return value === null ? '-' : (100 * value).toFixed(1);
}
