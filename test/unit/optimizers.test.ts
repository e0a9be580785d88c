import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import * as adamw from '../../training/optimizers/adamw.ts';
import { clipByGlobalNorm } from '../../training/optimizers/clip.ts';
import { warmupCosine } from '../../training/optimizers/schedule.ts';
import { gaussian, seededRandom } from '../../training/random.ts';

const CONFIG: adamw.AdamwConfig = { beta1: 0.9, beta2: 0.98, epsilon: 1e-6, weightDecay: 0.1 };

function normals(length: number, seed: number): Float32Array {
  const random = seededRandom(seed);
  return Float32Array.from({ length }, () => gaussian(random));
}

/** Algorithm 2 of arXiv 1711.05101 as printed, for one parameter in float64; the value after each gradient. */
function textbook(start: number, gradients: readonly number[], rate: number, decays: boolean): number[] {
  const { beta1, beta2, epsilon, weightDecay } = CONFIG;
  let [theta, m, v] = [start, 0, 0];
  return gradients.map((g, index) => {
    const t = index + 1;
    m = beta1 * m + (1 - beta1) * g;
    v = beta2 * v + (1 - beta2) * g ** 2;
    const mHat = m / (1 - beta1 ** t);
    const vHat = v / (1 - beta2 ** t);
    theta -= rate * (mHat / (Math.sqrt(vHat) + epsilon)) + rate * (decays ? weightDecay : 0) * theta;
    return theta;
  });
}

describe('AdamW', () => {
  it('follows the algorithm as printed over 20 steps, with decay only where it is asked for', () => {
    const size = 16;
    const start = normals(size, 1);
    const parameters = Float32Array.from(start);
    const decay = Uint8Array.from({ length: size }, (_, i) => i % 2);
    const steps = Array.from({ length: 20 }, (_, step) => normals(size, 100 + step));
    let state = adamw.init(size);
    for (const [step, gradients] of steps.entries()) {
      state = adamw.update(CONFIG, state, parameters, gradients, decay, 0.05);
      for (let i = 0; i < size; i++) {
        const history = steps.slice(0, step + 1).map((all) => all[i] as number);
        expect(parameters[i]).toBeCloseTo(textbook(start[i] as number, history, 0.05, i % 2 === 1)[step] as number, 5);
      }
    }
    expect(state.step).toBe(20);
  });

  it('makes the two steps that were worked out by hand', () => {
    // β₁ = β₂ = 1/2, ε = 0, λ = 1/2, rate 1/10. Step 1, g = 2: m̂ = 2, v̂ = 4, 1 - 0.1 · (2/2) - 0.05 · 1 = 0.85.
    // Step 2, g = 0: m = 0.5, m̂ = 2/3; v = 1, v̂ = 4/3; 0.85 - 0.1 · (2/3)/√(4/3) - 0.05 · 0.85 = 0.74976.
    const config = { beta1: 0.5, beta2: 0.5, epsilon: 0, weightDecay: 0.5 };
    const parameters = Float32Array.of(1);
    const once = adamw.update(config, adamw.init(1), parameters, Float32Array.of(2), Uint8Array.of(1), 0.1);
    expect(parameters[0]).toBeCloseTo(0.85, 6);
    adamw.update(config, once, parameters, Float32Array.of(0), Uint8Array.of(1), 0.1);
    expect(parameters[0]).toBeCloseTo(0.749765, 5);
  });

  it('on all rows of a table does what the dense update without decay does', () => {
    const [dense, lazy] = [normals(12, 3), normals(12, 3)];
    let [denseState, lazyState] = [adamw.init(12), adamw.init(12)];
    for (let step = 0; step < 5; step++) {
      const gradients = normals(12, 50 + step);
      // Rows handed over in another order, their gradients with them.
      const rows = Int32Array.of(2, 0, 3, 1);
      const rowGradients = Float32Array.from([...rows].flatMap((row) => [...gradients.subarray(row * 3, row * 3 + 3)]));
      denseState = adamw.update(CONFIG, denseState, dense, gradients, new Uint8Array(12), 0.01);
      lazyState = adamw.updateRows(CONFIG, lazyState, lazy, 3, rows, rowGradients, 0.01);
    }
    expect(lazy).toEqual(dense);
    expect(lazyState).toEqual(denseState);
  });

  it('leaves rows that are not named, and their moments, as they are to the bit', () => {
    const table = normals(15, 4);
    let state = adamw.updateRows(CONFIG, adamw.init(15), table, 3, Int32Array.of(0, 1, 2, 3, 4), normals(15, 5), 0.1);
    const before = { table: table.slice(), mean: state.mean.slice(), variance: state.variance.slice() };
    state = adamw.updateRows(CONFIG, state, table, 3, Int32Array.of(3, 1), normals(6, 6), 0.1);
    for (let i = 0; i < 15; i++) {
      const named = [1, 3].includes(Math.floor(i / 3));
      expect(table[i] !== before.table[i]).toBe(named);
      expect(state.mean[i] !== before.mean[i]).toBe(named);
      expect(state.variance[i] !== before.variance[i]).toBe(named);
    }
  });
});

describe('the schedule', () => {
  const schedule = { peak: 2, warmup: 4, total: 104, floor: 0.1 };

  it('rises in equal steps to the peak, is half way down in the middle and ends at the floor', () => {
    const rates = [0, 1, 2, 3].map((step) => warmupCosine(step, schedule));
    expect(rates).toEqual([0.5, 1, 1.5, 2]);
    expect(warmupCosine(4, schedule)).toBeCloseTo(2, 12);
    expect(warmupCosine(54, schedule)).toBeCloseTo(2 * 0.55, 12);
    expect(warmupCosine(104, schedule)).toBeCloseTo(0.2, 12);
  });

  it('never rises after the warm-up and stays at the floor beyond the end', () => {
    for (let step = 4; step < 150; step++)
      expect(warmupCosine(step + 1, schedule)).toBeLessThanOrEqual(warmupCosine(step, schedule));
    expect(warmupCosine(10_000, schedule)).toBeCloseTo(0.2, 12);
  });

  it('works without a warm-up, and with nothing after it', () => {
    expect(warmupCosine(0, { peak: 1, warmup: 0, total: 10 })).toBe(1);
    expect(warmupCosine(5, { peak: 1, warmup: 5, total: 5 })).toBe(1);
    expect(warmupCosine(6, { peak: 1, warmup: 5, total: 5 })).toBeCloseTo(0, 12);
  });
});

describe('clipping', () => {
  const arrays = fc.array(
    fc
      .array(fc.float({ min: -1000, max: 1000, noNaN: true }), { maxLength: 8 })
      .map((values) => Float32Array.from(values)),
    { minLength: 1, maxLength: 4 },
  );
  const norm = (values: readonly Float32Array[]) => Math.hypot(...values.flatMap((array) => [...array]));

  it('returns the norm, bounds it, and keeps the direction', () => {
    fc.assert(
      fc.property(arrays, fc.double({ min: 0.01, max: 2000, noNaN: true }), (gradients, limit) => {
        const before = gradients.map((array) => array.slice());
        const returned = clipByGlobalNorm(gradients, limit);
        const expected = norm(before);
        expect(returned).toBeCloseTo(expected, 3);
        expect(norm(gradients)).toBeLessThanOrEqual(limit * (1 + 1e-5));
        const scale = Math.min(1, limit / expected);
        for (const [index, array] of gradients.entries())
          for (const [i, value] of array.entries())
            expect(Math.abs(value - (before[index]?.[i] as number) * scale)).toBeLessThanOrEqual(1e-4);
      }),
    );
  });

  it('leaves gradients under the limit as they are to the bit', () => {
    const gradients = [Float32Array.of(0.1, -0.2), Float32Array.of(0.3)];
    clipByGlobalNorm(gradients, 0.5);
    expect(gradients).toEqual([Float32Array.of(0.1, -0.2), Float32Array.of(0.3)]);
  });
});
