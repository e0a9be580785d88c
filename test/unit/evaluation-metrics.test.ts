import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
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
} from '../../training/evaluation/metrics.ts';

const T = true;
const F = false;

describe('metrics of decisions', () => {
  // 3 unsafe, 5 safe; 2 of the unsafe and 1 of the safe are flagged.
  const counts = confusion([T, T, T, F, F, F, F, F], [T, T, F, T, F, F, F, F]);

  it('worked by hand', () => {
    expect(counts).toEqual({ truePositives: 2, falsePositives: 1, falseNegatives: 1, trueNegatives: 4 });
    expect(precision(counts)).toBeCloseTo(2 / 3, 12);
    expect(recall(counts)).toBeCloseTo(2 / 3, 12);
    expect(f1(counts)).toBeCloseTo(2 / 3, 12);
    expect(falsePositiveRate(counts)).toBeCloseTo(1 / 5, 12);
    expect(alwaysUnsafeF1([T, T, T, F, F, F, F, F])).toBeCloseTo(6 / 11, 12);
  });

  it('are null where the rows cannot define them', () => {
    const onlySafe = confusion([F, F], [F, T]);
    expect([f1(onlySafe), recall(onlySafe), precision(onlySafe), falsePositiveRate(onlySafe)]).toEqual([
      null,
      null,
      0,
      0.5,
    ]);
    const onlyUnsafe = confusion([T, T], [F, F]);
    expect([f1(onlyUnsafe), recall(onlyUnsafe), precision(onlyUnsafe), falsePositiveRate(onlyUnsafe)]).toEqual([
      0,
      0,
      null,
      null,
    ]);
    expect(alwaysUnsafeF1([F])).toBeNull();
    expect(alwaysUnsafeF1([T])).toBe(1);
  });

  it('refuse rows and predictions that do not belong together', () => {
    expect(() => confusion([T], [])).toThrow(RangeError);
    expect(() => auroc([T, F], [1])).toThrow(RangeError);
    expect(() => averagePrecision([T, F], [Number.NaN, 0])).toThrow(RangeError);
    expect(() => expectedCalibrationError([T], [1.1])).toThrow(RangeError);
  });

  it('F1 is the harmonic mean of precision and recall', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.boolean(), fc.boolean()), { minLength: 1 }), (rows) => {
        const counts = confusion(
          rows.map(([label]) => label),
          rows.map(([, flag]) => flag),
        );
        const [p, r] = [precision(counts), recall(counts)];
        if (p !== null && r !== null && p + r > 0) expect(f1(counts)).toBeCloseTo((2 * p * r) / (p + r), 12);
      }),
    );
  });
});

describe('averagePrecision', () => {
  it('worked by hand', () => {
    // Thresholds at 0.8, 0.4, 0.35, 0.1: precision 1, 1/2, 2/3, 1/2; recall 1/2, 1/2, 1, 1.
    expect(averagePrecision([F, F, T, T], [0.1, 0.4, 0.35, 0.8])).toBeCloseTo(0.5 * 1 + 0.5 * (2 / 3), 12);
    // One threshold for all: precision is the share of positives, in whichever order the ties stand.
    expect(averagePrecision([T, F, F, F], [0.5, 0.5, 0.5, 0.5])).toBe(0.25);
    expect(averagePrecision([F, F, F, T], [0.5, 0.5, 0.5, 0.5])).toBe(0.25);
    expect(averagePrecision([T, T, F], [0.9, 0.8, 0.1])).toBe(1);
  });

  it('is null for one class', () => {
    expect(averagePrecision([T, T], [0.1, 0.9])).toBeNull();
    expect(averagePrecision([F], [0.1])).toBeNull();
    expect(averagePrecision([], [])).toBeNull();
  });
});

/** Few distinct scores, so that ties are common. */
const rows = fc.array(
  fc.tuple(
    fc.boolean(),
    fc.nat(6).map((n) => n / 6),
  ),
  { maxLength: 40 },
);
const split = (pairs: [boolean, number][]) => [pairs.map(([label]) => label), pairs.map(([, score]) => score)] as const;

describe('auroc', () => {
  it('worked by hand', () => {
    expect(auroc([F, F, T, T], [0.1, 0.4, 0.35, 0.8])).toBe(0.75);
    expect(auroc([T, F], [0.5, 0.5])).toBe(0.5);
    expect(auroc([T, F], [0, 1])).toBe(0);
    expect(auroc([T], [0.5])).toBeNull();
  });

  it('is the share of pairs in the right order', () => {
    fc.assert(
      fc.property(rows, (pairs) => {
        const [labels, scores] = split(pairs);
        const unsafe = scores.filter((_, i) => labels[i]);
        const safe = scores.filter((_, i) => !labels[i]);
        let won = 0;
        for (const a of unsafe) for (const b of safe) won += a > b ? 1 : a === b ? 0.5 : 0;
        const expected = unsafe.length * safe.length === 0 ? null : won / (unsafe.length * safe.length);
        if (expected === null) expect(auroc(labels, scores)).toBeNull();
        else expect(auroc(labels, scores)).toBeCloseTo(expected, 12);
      }),
    );
  });
});

describe('both areas', () => {
  it('do not depend on the order of rows', () => {
    fc.assert(
      fc.property(rows, (pairs) => {
        const [labels, scores] = split(pairs);
        const [reversedLabels, reversedScores] = split(pairs.toReversed());
        expect(averagePrecision(reversedLabels, reversedScores)).toBe(averagePrecision(labels, scores));
        expect(auroc(reversedLabels, reversedScores)).toBe(auroc(labels, scores));
      }),
    );
  });

  it('average precision is what counting at every threshold gives', () => {
    fc.assert(
      fc.property(rows, (pairs) => {
        const [labels, scores] = split(pairs);
        const area = averagePrecision(labels, scores);
        if (area === null) return;
        let expected = 0;
        let before = 0;
        for (const threshold of [...new Set(scores)].sort((a, b) => b - a)) {
          const counts = confusion(
            labels,
            scores.map((score) => score >= threshold),
          );
          expected += ((recall(counts) as number) - before) * (precision(counts) as number);
          before = recall(counts) as number;
        }
        expect(area).toBeCloseTo(expected, 12);
      }),
    );
  });
});

describe('expectedCalibrationError', () => {
  it('worked by hand', () => {
    // Bin 13 (0.8667 to 0.9333): mean score 0.9, one of two unsafe. Bin 1: score 0.1, none unsafe.
    expect(expectedCalibrationError([T, F, F], [0.9, 0.9, 0.1])).toBeCloseTo((2 * 0.4 + 0.1) / 3, 12);
    expect(expectedCalibrationError([T, F], [1, 0])).toBe(0);
    expect(expectedCalibrationError([F, T], [1, 0])).toBe(1);
    expect(expectedCalibrationError([], [])).toBeNull();
    // 0.5 is the middle of bin 7, and its two rows cancel out.
    expect(expectedCalibrationError([T, F], [0.5, 0.5])).toBe(0);
  });

  it('counts a row of weight 3 like three rows', () => {
    const thrice = expectedCalibrationError([T, T, T, F, F], [0.9, 0.9, 0.9, 0.9, 0.2]);
    expect(expectedCalibrationError([T, F, F], [0.9, 0.9, 0.2], [3, 1, 1])).toBeCloseTo(thrice as number, 12);
  });
});
