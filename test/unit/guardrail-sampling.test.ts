import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CATEGORIES } from '../../src/taxonomy.ts';
import { formTrainingBatches, paddedLength } from '../../training/guardrail/batches.ts';
import {
  type CalibrationRows,
  calibrateThresholds,
  flaggedF1,
  flaggedRates,
} from '../../training/guardrail/calibrate.ts';
import { loadRunState, RunStateError, saveRunState } from '../../training/guardrail/run-state.ts';
import { type BalanceConfig, epochRows, groupQuotas, type SampleGroup } from '../../training/guardrail/sampling.ts';
import type { TrainerState } from '../../training/guardrail/trainer.ts';
import { gaussian, seededRandom } from '../../training/random.ts';
import { temporaryDirectory } from '../support/fixture-checkpoint.ts';
import { moments } from '../support/moments.ts';

/** Groups with rows numbered one after another. */
function groupsOf(...specs: readonly (readonly [source: string, lang: string, unsafe: boolean, size: number])[]) {
  let next = 0;
  return specs.map(([source, lang, unsafe, size]): SampleGroup => {
    const rows = Int32Array.from({ length: size }, () => next++);
    return { source, lang, unsafe, origin: 'written', rows };
  });
}

const BALANCE: BalanceConfig = {
  sizeExponent: 1,
  unsafeShare: 0.5,
  labels: 'overall',
  sourceWeights: {},
  languageWeights: {},
  translatedWeight: 0.5,
  disguisedWeight: { safe: 1, unsafe: 1 },
  uncoveredWeight: 1,
};

describe('quotas', () => {
  const groups = groupsOf(
    ['a', 'en', true, 100],
    ['a', 'en', false, 300],
    ['b', 'fr', false, 100],
    ['b', 'fr', true, 300],
  );

  it('follow size within each label, and the share of unsafe rows over both', () => {
    expect(groupQuotas(groups, 1000, BALANCE)).toEqual([125, 375, 125, 375]);
    expect(groupQuotas(groups, 1000, { ...BALANCE, unsafeShare: 0.2 })).toEqual([50, 600, 200, 150]);
  });

  it('keep the share of unsafe rows in each language that has both labels', () => {
    const within = { ...BALANCE, labels: 'per-language' } as const;
    expect(groupQuotas(groups, 1000, within)).toEqual([250, 250, 250, 250]);
    const lopsided = groupsOf(['a', 'en', true, 100], ['a', 'en', false, 300], ['b', 'fr', true, 400]);
    expect(groupQuotas(lopsided, 1000, { ...within, unsafeShare: 0.2 })).toEqual([100, 400, 500]);
  });

  it.each([
    ['translated', { translatedWeight: 1 / 3 }, { translatedWeight: 0 }],
    ['disguised', { disguisedWeight: { safe: 1, unsafe: 1 / 3 } }, { disguisedWeight: { safe: 1, unsafe: 0 } }],
    ['uncovered', { uncoveredWeight: 1 / 3 }, { uncoveredWeight: 0 }],
  ] as const)('give %s rows their share', (origin, third, none) => {
    const mixed = groups.map((group, index): SampleGroup => (index === 3 ? { ...group, origin } : group));
    expect(groupQuotas(mixed, 1000, { ...BALANCE, ...third })).toEqual([250, 375, 125, 250]);
    expect(groupQuotas(mixed, 1000, { ...BALANCE, ...none })[3]).toBe(0);
  });

  it('follow a power of the size: 0 draws groups alike', () => {
    expect(groupQuotas(groups, 1000, { ...BALANCE, sizeExponent: 0 })).toEqual([250, 250, 250, 250]);
    const [small, , , large] = groupQuotas(groups, 10_000, { ...BALANCE, sizeExponent: 0.5 });
    expect((large as number) / (small as number)).toBeCloseTo(Math.sqrt(3), 2);
  });

  it('are scaled by the weights of source and language; weight 0 leaves a source out', () => {
    expect(groupQuotas(groups, 1000, { ...BALANCE, sourceWeights: { b: 3 } })).toEqual([50, 250, 250, 450]);
    expect(groupQuotas(groups, 1000, { ...BALANCE, languageWeights: { en: 9 } })).toEqual([375, 482, 18, 125]);
    const without = groupQuotas(groups, 1000, { ...BALANCE, sourceWeights: { b: 0 } });
    expect(without).toEqual([500, 500, 0, 0]);
    expect(epochRows(groups, without, 0, 1).every((row) => row < 400)).toBe(true);
  });

  it('are refused where one label has no rows left', () => {
    expect(() => groupQuotas(groupsOf(['a', 'en', true, 5]), 10, BALANCE)).toThrow(RangeError);
    const apart = groupsOf(['a', 'en', true, 5], ['b', 'en', false, 5]);
    expect(() => groupQuotas(apart, 10, { ...BALANCE, sourceWeights: { b: 0 } })).toThrow(/both safe and unsafe/);
  });
});

describe('the rows of a pass', () => {
  const sizes = fc.array(fc.tuple(fc.integer({ min: 1, max: 12 }), fc.nat(30)), { minLength: 1, maxLength: 4 });

  it('hold the quota of each group, and no row again before all of its group came, over the seams of passes', () => {
    fc.assert(
      fc.property(sizes, fc.nat(1000), (specs, seed) => {
        const groups = groupsOf(...specs.map(([size], index) => [`s${index}`, 'en', true, size] as const));
        const quotas = specs.map(([, quota]) => quota);
        const passes = [0, 1, 2].map((epoch) => [...epochRows(groups, quotas, epoch, seed)]);
        for (const [index, { rows }] of groups.entries()) {
          const own = passes.map((pass) => pass.filter((row) => rows.includes(row)));
          for (const pass of own) expect(pass).toHaveLength(quotas[index] as number);
          const walked = own.flat();
          for (let start = 0; start < walked.length; start += rows.length) {
            const round = walked.slice(start, start + rows.length);
            expect(new Set(round).size).toBe(round.length);
          }
        }
      }),
    );
  });

  it('are the same for the same arguments, and in another order with another seed or round', () => {
    const groups = groupsOf(['a', 'en', true, 50]);
    const first = epochRows(groups, [50], 0, 1);
    expect(epochRows(groups, [50], 0, 1)).toEqual(first);
    expect(epochRows(groups, [50], 0, 2)).not.toEqual(first);
    expect(epochRows(groups, [50], 1, 1)).not.toEqual(first);
  });
});

describe('batches', () => {
  const lengths = fc.array(fc.integer({ min: 1, max: 70 }), { maxLength: 60 });
  const limits = fc.record({ tokens: fc.integer({ min: 8, max: 600 }), rows: fc.integer({ min: 1, max: 20 }) });

  it('hold every row once, rows drawn twice twice, and keep to the budget unless a row alone is above it', () => {
    fc.assert(
      fc.property(lengths, limits, fc.nat(1000), (lengthOf, limit, seed) => {
        const rows = Int32Array.from([...lengthOf.keys(), ...lengthOf.keys()].slice(0, lengthOf.length + 3));
        const given = rows.slice();
        const batches = formTrainingBatches(rows, (row) => lengthOf[row] as number, limit, seededRandom(seed));
        const numerically = (a: number, b: number) => a - b;
        expect(batches.flatMap((batch) => [...batch]).sort(numerically)).toEqual([...rows].sort(numerically));
        expect(rows).toEqual(given);
        for (const batch of batches) {
          expect(batch.length).toBeGreaterThan(0);
          expect(batch.length).toBeLessThanOrEqual(limit.rows);
          const longest = paddedLength(Math.max(...[...batch].map((row) => lengthOf[row] as number)));
          if (batch.length > 1) expect(batch.length * longest).toBeLessThanOrEqual(limit.tokens);
        }
      }),
    );
  });

  it('pad little: 95 % of the tokens of a mixed corpus are text', () => {
    const random = seededRandom(2);
    const lengthOf = Array.from({ length: 2000 }, () => 40 + Math.floor(200 * random()));
    const batches = formTrainingBatches(
      Int32Array.from(lengthOf.keys()),
      (row) => lengthOf[row] as number,
      { tokens: 4096, rows: 64 },
      random,
    );
    const padded = batches.map(
      (batch) => batch.length * paddedLength(Math.max(...[...batch].map((row) => lengthOf[row] as number))),
    );
    const text = lengthOf.reduce((sum, length) => sum + length, 0);
    expect(text / padded.reduce((sum, tokens) => sum + tokens, 0)).toBeGreaterThan(0.95);
  });
});

describe('calibration', () => {
  const COUNT = CATEGORIES.length;
  const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));

  /** Category 0 is loud: safe rows reach high in it. All others tell unsafe rows well, but low. */
  function loudCategory(rows: number): CalibrationRows {
    const random = seededRandom(4);
    const probabilities = new Float32Array(rows * COUNT).fill(0.01);
    const unsafe = Uint8Array.from({ length: rows }, (_, row) => row % 2);
    for (let row = 0; row < rows; row++) {
      probabilities[row * COUNT] = sigmoid((unsafe[row] ? 2.2 : 1) + 0.4 * gaussian(random));
      if (row % 4 === 3) {
        probabilities[row * COUNT] = 0.01;
        probabilities[row * COUNT + 1 + (row % 11)] = sigmoid(-1.2 + 0.2 * gaussian(random));
      }
    }
    return { probabilities, unsafe, weights: new Float32Array(rows).fill(1) };
  }

  it('keeps the limit on false positives, and comes as near as it can to one that nothing keeps', () => {
    const rows = loudCategory(400);
    const rate = (maxFalsePositiveRate: number) =>
      flaggedRates(rows, calibrateThresholds(rows, { minGain: 5e-4, maxFalsePositiveRate })).falsePositiveRate;
    expect(rate(1)).toBeGreaterThan(0.01);
    expect(rate(0.01)).toBeLessThanOrEqual(0.01);
    const always = { ...rows, probabilities: new Float32Array(rows.probabilities.length).fill(1) };
    expect(calibrateThresholds(always, { minGain: 5e-4, maxFalsePositiveRate: 0 })).toHaveLength(COUNT);
  });

  it('beats every common threshold where categories differ, and stays on its grid', () => {
    const rows = loudCategory(400);
    const thresholds = calibrateThresholds(rows);
    const common = Array.from({ length: 99 }, (_, i) => flaggedF1(rows, new Array<number>(COUNT).fill((i + 1) / 100)));
    expect(flaggedF1(rows, thresholds)).toBeGreaterThan(Math.max(...common) + 0.05);
    expect(thresholds).toHaveLength(COUNT);
    for (const threshold of thresholds) {
      const tenths = 10 * Math.log(threshold / (1 - threshold));
      expect(tenths).toBeCloseTo(Math.round(tenths), 6);
      expect(Math.abs(Math.round(tenths))).toBeLessThanOrEqual(30);
    }
  });

  it('is never worse than one half everywhere', () => {
    const draws = fc.array(fc.tuple(fc.double({ min: 0, max: 1, noNaN: true }), fc.boolean()), {
      minLength: 1,
      maxLength: 12,
    });
    fc.assert(
      fc.property(draws, (pairs) => {
        const probabilities = new Float32Array(pairs.length * COUNT);
        for (const [row, [probability]] of pairs.entries()) probabilities[row * COUNT + (row % COUNT)] = probability;
        const rows = {
          probabilities,
          unsafe: Uint8Array.from(pairs, ([, unsafe]) => Number(unsafe)),
          weights: new Float32Array(pairs.length).fill(1),
        };
        const half = flaggedF1(rows, new Array<number>(COUNT).fill(0.5));
        expect(flaggedF1(rows, calibrateThresholds(rows))).toBeGreaterThanOrEqual(half);
      }),
      { numRuns: 20 },
    );
  });

  it('counts rows by their weight', () => {
    const probabilities = new Float32Array(3 * COUNT);
    for (const [row, value] of [0.9, 0.9, 0.1].entries()) probabilities[row * COUNT] = value;
    const rows = { probabilities, unsafe: Uint8Array.of(1, 0, 1), weights: Float32Array.of(2, 1, 4) };
    // True positives 2, false positives 1, false negatives 4.
    expect(flaggedF1(rows, new Array<number>(COUNT).fill(0.5))).toBeCloseTo((2 * 2) / (2 * 2 + 1 + 4), 6);
  });
});

describe('the state of a run on disk', () => {
  const values = (length: number, seed: number): Float32Array => {
    const random = seededRandom(seed);
    return Float32Array.from({ length }, () => gaussian(random));
  };
  const STATE: TrainerState = {
    step: 41,
    parameters: Float32Array.of(Number.NaN, -0, 1e-45, Number.POSITIVE_INFINITY, 0.1),
    parameterOptimizer: { mean: values(5, 1), variance: values(5, 2), step: 41 },
    // A view into a larger array, as the parameters of a model are.
    table: values(20, 3).subarray(4, 16),
    tableOptimizer: { mean: values(12, 4), variance: values(12, 5), step: 40 },
  };
  const saved = (): string => {
    const path = join(temporaryDirectory(), 'state.bin');
    saveRunState(path, 'this run', STATE);
    return path;
  };
  const bits = ({ parameters, parameterOptimizer, table, tableOptimizer }: TrainerState) =>
    [
      parameters,
      moments(parameterOptimizer).mean,
      moments(parameterOptimizer).variance,
      table,
      moments(tableOptimizer).mean,
      moments(tableOptimizer).variance,
    ].map((array) => [...new Uint32Array(array.slice().buffer)]);

  it('comes back to the bit', () => {
    const loaded = loadRunState(saved(), 'this run') as TrainerState;
    expect(bits(loaded)).toEqual(bits(STATE));
    expect([loaded.step, loaded.parameterOptimizer.step, loaded.tableOptimizer.step]).toEqual([41, 41, 40]);
  });

  it('is the newest that was saved', () => {
    const path = saved();
    saveRunState(path, 'this run', { ...STATE, step: 42 });
    expect(loadRunState(path, 'this run')?.step).toBe(42);
  });

  it('is undefined where none was saved', () => {
    expect(loadRunState(join(temporaryDirectory(), 'state.bin'), 'this run')).toBeUndefined();
  });

  it('of another run is refused', () => {
    expect(() => loadRunState(saved(), 'another run')).toThrow(RunStateError);
    expect(() => loadRunState(saved(), 'another run')).toThrow(/other settings or data/);
  });

  it('is refused wherever it is cut short', () => {
    const path = saved();
    const whole = readFileSync(path);
    for (let length = 0; length < whole.length; length++) {
      writeFileSync(path, whole.subarray(0, length));
      expect(() => loadRunState(path, 'this run')).toThrow(RunStateError);
    }
  });

  it('is refused when one bit of its arrays has flipped', () => {
    const path = saved();
    const bytes = readFileSync(path);
    const at = bytes.length - 100;
    bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at);
    writeFileSync(path, bytes);
    expect(() => loadRunState(path, 'this run')).toThrow(/is damaged/);
  });

  it.each([
    ['bytes of something else', Buffer.alloc(64, 0xff)],
    ['JSON of something else', Buffer.from('\x02\0\0\0{}')],
    ['JSON that is no object', Buffer.from('\x04\0\0\0null')],
  ])('is refused when the file holds %s', (_, content) => {
    const path = join(temporaryDirectory(), 'state.bin');
    writeFileSync(path, content);
    expect(() => loadRunState(path, 'this run')).toThrow(/is not a training state/);
  });
});
