import { describe, expect, it } from 'vitest';
import { gameConfigSchema } from '../../training/game/config.ts';
import * as asgd from '../../training/optimizers/asgd.ts';
import * as optimizer from '../../training/optimizers/optimizer.ts';
import { gaussian, seededRandom } from '../../training/random.ts';

const CONFIG: asgd.AsgdConfig = { ...asgd.ASGD_DEFAULTS, weightDecay: 0 };

/** The four lines as they are printed (arXiv 2311.14222), for one parameter in float64; y before each gradient. */
function textbook(start: number, gradients: readonly number[], rate: number): number[] {
  const { kappa, xi, smallConstant: c } = CONFIG;
  const b = (c * c * xi) / kappa;
  const a = c / (c + b);
  let [x, v] = [start, start];
  return gradients.map((g) => {
    const y = a * x + (1 - a) * v;
    x = y - rate * g;
    v = b * y + (1 - b) * v - ((b * rate * kappa) / c) * g;
    return y;
  });
}

describe('accelerated SGD', () => {
  it('follows the algorithm as printed over 20 steps', () => {
    const random = seededRandom(5);
    const gradients = Array.from({ length: 21 }, () => gaussian(random));
    const expected = textbook(0.7, gradients, 0.01);
    const parameters = Float32Array.of(0.7);
    let state = asgd.init(1);
    for (const [step, g] of gradients.entries()) {
      expect(parameters[0]).toBeCloseTo(expected[step] as number, 5);
      state = asgd.update(CONFIG, state, parameters, Float32Array.of(g), Uint8Array.of(1), 0.01);
    }
    expect(state.step).toBe(21);
  });

  it('adds the decay to the gradient where it is asked for', () => {
    const [decayed, plain] = [Float32Array.of(2, 2), Float32Array.of(2, 2)];
    const own = { ...CONFIG, weightDecay: 0.5 };
    asgd.update(own, asgd.init(2), decayed, Float32Array.of(1, 1), Uint8Array.of(1, 0), 0.1);
    asgd.update(CONFIG, asgd.init(2), plain, Float32Array.of(2, 1), Uint8Array.of(1, 1), 0.1);
    expect(decayed).toEqual(plain);
  });

  it('on all rows of a table does what the dense update does, and leaves other rows as they are', () => {
    const values = () => Float32Array.from({ length: 8 }, (_, i) => Math.sin(i));
    const [dense, lazy] = [values(), values()];
    let [denseState, lazyState] = [asgd.init(8), asgd.init(8)];
    const gradients = Float32Array.from({ length: 8 }, (_, i) => Math.cos(i));
    for (let step = 0; step < 3; step++) {
      denseState = asgd.update(CONFIG, denseState, dense, gradients, new Uint8Array(8), 0.01);
      lazyState = asgd.updateRows(CONFIG, lazyState, lazy, 2, Int32Array.of(0, 1, 2, 3), gradients, 0.01);
    }
    expect(lazy).toEqual(dense);
    expect(lazyState).toEqual(denseState);
    asgd.updateRows(CONFIG, lazyState, lazy, 2, Int32Array.of(2), Float32Array.of(1, 1), 0.01);
    expect([...lazy].map((value, i) => value !== dense[i])).toEqual([0, 0, 0, 0, 1, 1, 0, 0].map(Boolean));
  });

  it('takes the bias out of directions with small eigenvalues far faster than SGD does', () => {
    // Least squares without noise: x ~ N(0, diag(eigenvalues)), y = <1, x>, one example a step, both from 0 with the same
    // short step. All that remains of the error is bias.
    const size = 16;
    const steps = 3000;
    const seeds = [1, 2, 3];
    const eigenvalues = Array.from({ length: size }, (_, i) => 10 ** ((-3 * i) / (size - 1)));
    const rate = 0.5 / eigenvalues.reduce((sum, value) => sum + value, 0);
    const biasOf = (step: (w: Float32Array, gradient: Float32Array) => void, seed: number): Float32Array => {
      const random = seededRandom(seed);
      const w = new Float32Array(size);
      for (let t = 0; t < steps; t++) {
        const x = Float32Array.from(eigenvalues, (value) => Math.sqrt(value) * gaussian(random));
        const error = x.reduce((sum, value, i) => sum + value * ((w[i] as number) - 1), 0);
        step(
          w,
          x.map((value) => value * error),
        );
      }
      return w.map((value) => Math.abs(value - 1));
    };
    const sgd = seeds.map((seed) =>
      biasOf((w, gradient) => {
        for (let i = 0; i < size; i++) w[i]! -= rate * gradient[i]!;
      }, seed),
    );
    const accelerated = seeds.map((seed) => {
      let state = asgd.init(size);
      return biasOf((w, gradient) => {
        state = asgd.update(CONFIG, state, w, gradient, new Uint8Array(size), rate);
      }, seed);
    });
    const mean = (runs: readonly Float32Array[], i: number) =>
      runs.reduce((sum, bias) => sum + (bias[i] as number), 0) / runs.length;
    for (let i = size - 4; i < size; i++) expect(mean(accelerated, i)).toBeLessThan(mean(sgd, i) / 5);
    // SGD has hardly begun in the smallest one, and is through in the largest.
    expect(mean(sgd, size - 1)).toBeGreaterThan(0.5);
    expect(mean(accelerated, size - 1)).toBeLessThan(0.12);
    expect(mean(sgd, 0)).toBeLessThan(0.05);
  });
});

describe('the choice of an optimizer', () => {
  it('is AdamW unless settings say otherwise', () => {
    const { generator, guardrail } = gameConfigSchema.parse({});
    expect([generator.optimizer, guardrail.optimizer.method]).toEqual(['adamw', 'adamw']);
  });

  it('refuses the state of the other one', () => {
    const [parameters, gradients, decay] = [new Float32Array(2), new Float32Array(2), new Uint8Array(2)];
    const config = { method: 'asgd', ...CONFIG } as const;
    expect(() => optimizer.update(config, optimizer.init('adamw', 2), parameters, gradients, decay, 0.1)).toThrow(
      /AdamW cannot go on with accelerated SGD/,
    );
  });
});
