import { describe, expect, it } from 'vitest';
import { evaluate } from '../../training/evaluation/evaluate.ts';
import { formatReport } from '../../training/evaluation/table.ts';

const rows = [
  { benchmark: 'two', lang: 'en', unsafe: true },
  { benchmark: 'one', lang: 'en', unsafe: true },
  { benchmark: 'two', lang: 'en', unsafe: false },
  { benchmark: 'safe', lang: 'en', unsafe: false },
  { benchmark: 'two', lang: 'de', unsafe: true },
];
const predictions = [
  { score: 0.9, flagged: true },
  { score: 0.2, flagged: false },
  { score: 0.6, flagged: true },
  { score: 0.7, flagged: true },
  { score: 0.8, flagged: true },
];

describe('evaluate', () => {
  const report = evaluate(rows, predictions);

  it('groups by benchmark and language', () => {
    expect(report.groups.map(({ benchmark, lang, n, positives }) => [benchmark, lang, n, positives])).toEqual([
      ['two', 'en', 2, 1],
      ['one', 'en', 1, 1],
      ['safe', 'en', 1, 0],
      ['two', 'de', 1, 1],
    ]);
    expect(report.groups[0]).toMatchObject({ f1: 2 / 3, fpr: 1, auprc: 1, auroc: 1, always_unsafe_f1: 2 / 3 });
  });

  it('gives null, not 0, where a group has one class', () => {
    expect(report.groups[1]).toMatchObject({ f1: 0, fpr: null, auprc: null, auroc: null, always_unsafe_f1: 1 });
    expect(report.groups[2]).toMatchObject({ f1: null, recall: null, fpr: 1, auprc: null, always_unsafe_f1: null });
  });

  it('averages F1 over benchmarks with unsafe rows, FPR and AUPRC over two-sided ones', () => {
    expect(report.languages).toEqual([
      {
        lang: 'en',
        benchmarks: 3,
        two_sided_benchmarks: 1,
        f1: (2 / 3 + 0) / 2,
        fpr: 1,
        auprc: 1,
        always_unsafe_f1: (2 / 3 + 1) / 2,
      },
      {
        lang: 'de',
        benchmarks: 1,
        two_sided_benchmarks: 0,
        f1: 1,
        fpr: null,
        auprc: null,
        always_unsafe_f1: 1,
      },
    ]);
  });

  it('refuses predictions of another file', () => {
    expect(() => evaluate(rows, predictions.slice(1))).toThrow(RangeError);
  });

  it('prints an aligned table in percent', () => {
    const lines = formatReport(report).split('\n');
    expect(lines.slice(0, 3)).toEqual([
      'benchmark  lang  n  unsafe     F1  prec.  recall    FPR  AUPRC  AUROC   ECE  always unsafe F1',
      '---------  ----  -  ------  -----  -----  ------  -----  -----  -----  ----  ----------------',
      'two        en    2       1   66.7   50.0   100.0  100.0  100.0  100.0  35.0              66.7',
    ]);
    expect(lines[3]).toBe(
      'one        en    1       1    0.0      -     0.0      -      -      -  80.0             100.0',
    );
    expect(formatReport(report)).toContain('mean of  benchmarks  two-sided');
  });
});
