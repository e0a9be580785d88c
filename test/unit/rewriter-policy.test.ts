import { describe, expect, it, onTestFinished } from 'vitest';
import { encodeSpace, FeatureList } from '../../training/generator/rewriter/encoded-space.ts';
import { Policy } from '../../training/generator/rewriter/policy.ts';
import type { Trace } from '../../training/generator/rewriter/policy-batch.ts';
import { Sampler } from '../../training/generator/rewriter/sampler.ts';
import { gaussian, seededRandom } from '../../training/random.ts';
import { toyEditSpace, toyTask } from '../support/toy-edit-space.ts';

const CONFIG = { embedding: 6, hidden: 10, buckets: 200 };

/** A policy whose every parameter has been disturbed, so that nothing is 0 by its initial value. */
async function createPolicy(disturbance = 0.4): Promise<Policy> {
  const policy = await Policy.create(CONFIG, 3, 1);
  onTestFinished(() => policy.release());
  const random = seededRandom(5);
  const { values } = policy.parameters;
  for (let i = 0; i < values.length; i++) values[i]! += disturbance * gaussian(random);
  return policy;
}

const SEEDS = ['one 2 three', 'where do they keep the secret code', 'go', ''];

function encode(policy: Policy, seeds: readonly string[] = SEEDS) {
  const features = new FeatureList(policy.config.buckets);
  const spaces = seeds.map((text, i) => encodeSpace(toyEditSpace(toyTask(text, ['fr', 'de'][i % 2])), features));
  return { features, spaces };
}

/** A random candidate of every space. */
function traces(policy: Policy, seed: number): { features: FeatureList; list: Trace[] } {
  const { features, spaces } = encode(policy);
  const random = seededRandom(seed);
  const list = spaces.map((space) => ({
    space,
    choices: Array.from({ length: space.slots }, (_, s) =>
      Math.floor(random() * (space.first[s + 1]! - space.first[s]!)),
    ),
  }));
  return { features, list };
}

const FREE = { temperature: 1, guidance: 0 };

describe('p of a candidate', () => {
  it.each([
    { temperature: 1, guidance: 0 },
    { temperature: 1.7, guidance: 0 },
    { temperature: 0.9, guidance: 0.7 },
  ])('is the same in sampling and in the graph, %j', async (options) => {
    const policy = await createPolicy();
    const { features, spaces } = encode(policy);
    const sampler = new Sampler(policy, features);
    const random = seededRandom(1);
    const drawn = spaces.flatMap((space) => {
      const draw = sampler.prepare(space, options);
      return Array.from({ length: 10 }, () => ({ space, ...draw(random) }));
    });
    const scored = await policy.logProbabilities(drawn, features);
    const gaps = drawn.map(({ logProbability }, i) => Math.abs(logProbability - scored[i]!));
    expect(Math.max(...gaps)).toBeLessThan(1e-4);
    expect(new Set(drawn.map(({ choices }) => choices.join())).size).toBeGreaterThan(10);
  });

  it('adds up to 1 over the whole space', async () => {
    const policy = await createPolicy();
    const { features, spaces } = encode(policy, ['one 2 three']);
    const space = spaces[0]!;
    let all: number[][] = [[]];
    for (let s = 0; s < space.slots; s++) {
      const options = Array.from({ length: space.first[s + 1]! - space.first[s]! }, (_, i) => i);
      all = all.flatMap((choices) => options.map((option) => [...choices, option]));
    }
    expect(all).toHaveLength(3 * 2 * 5 * 5);
    const logs = await policy.logProbabilities(
      all.map((choices) => ({ space, choices })),
      features,
    );
    const total = (sum: number, log: number): number => sum + Math.exp(log);
    expect(logs.reduce(total, 0)).toBeCloseTo(1, 5);
    // Frequencies of 4,000 draws: a deviation of 5 standard errors would be one in a million.
    const draw = new Sampler(policy, features).prepare(space, FREE);
    const random = seededRandom(2);
    const counts = new Map<string, number>();
    for (let i = 0; i < 4000; i++) {
      const key = draw(random).choices.join();
      counts.set(key, (counts.get(key) ?? 0) + 1);
    }
    for (const [i, choices] of all.entries()) {
      const p = Math.exp(logs[i]!);
      const error = Math.sqrt((p * (1 - p)) / 4000);
      expect(Math.abs((counts.get(choices.join()) ?? 0) / 4000 - p)).toBeLessThan(5 * error + 1 / 4000);
    }
  });

  it('depends on what was chosen before', async () => {
    const policy = await createPolicy();
    const { features, spaces } = encode(policy, ['alpha beta gamma']);
    const space = spaces[0]!;
    const conditional = async (before: number[]) => {
      const rows = [0, 1, 2, 3, 4].map((last) => ({ space, choices: [...before, last] }));
      const logs = await policy.logProbabilities(rows, features);
      const total = logs.reduce((sum, log) => sum + Math.exp(log), 0);
      return Array.from(logs, (log) => Math.exp(log) / total);
    };
    const reference = await conditional([0, 0, 0, 0]);
    for (const before of [
      [1, 0, 0, 0],
      [0, 1, 0, 0],
      [0, 0, 1, 0],
      [0, 0, 0, 4],
    ]) {
      const changed = await conditional(before);
      expect(Math.max(...changed.map((p, i) => Math.abs(p - reference[i]!)))).toBeGreaterThan(1e-3);
    }
  });

  it('of an untrained policy is the prior: words translated, the commoner translation first, no frame', async () => {
    const policy = await Policy.create(CONFIG, 3, 1);
    onTestFinished(() => policy.release());
    const { features, spaces } = encode(policy, ['alpha beta gamma']);
    const draw = new Sampler(policy, features).prepare(spaces[0]!, FREE);
    const random = seededRandom(3);
    const options = new Array<number>(5).fill(0);
    let framed = 0;
    for (let i = 0; i < 1000; i++) {
      const { choices } = draw(random);
      if (choices[0]! > 0) framed++;
      options[choices[2]!]!++;
    }
    const [best, second, foreign, leetspeak, dropped] = options as [number, number, number, number, number];
    expect(framed).toBeLessThan(100);
    expect(best / second).toBeGreaterThan(1.6);
    expect(best + second).toBeGreaterThan(850);
    expect(foreign + leetspeak + dropped).toBeGreaterThan(30);
  });
});

describe('gradients', () => {
  /** Along random directions through all parameters and table rows, against central differences. */
  it.each([['preference'], ['likelihood']] as const)('of the %s objective agree with differences', async (name) => {
    const policy = await createPolicy();
    const { features, list } = traces(policy, 7);
    const other = traces(policy, 8).list;
    const step = {
      traces: list.flatMap((trace, i) => [trace, { ...other[i]!, space: trace.space }]),
      reference: Float64Array.from({ length: 8 }, (_, i) => -10 - i),
      beta: 0.5,
      nllWeight: 0.4,
    };
    const masked = step.traces.map((trace, i) => ({ ...trace, masked: i % 3 === 0 }));
    const run = async () =>
      name === 'preference' ? policy.preferenceGradients(step, features) : policy.likelihoodGradients(masked, features);
    const { rows } = await run();
    const dense = policy.parameters.gradients.slice();
    const sparse = new Float32Array(policy.table.values.length);
    for (const [r, row] of rows.rows.entries()) {
      sparse.set(rows.gradients.subarray(r * CONFIG.embedding, (r + 1) * CONFIG.embedding), row * CONFIG.embedding);
    }
    expect(rows.rows.length).toBeGreaterThan(60);
    const random = seededRandom(9);
    for (const [values, gradient] of [
      [policy.parameters.values, dense],
      [policy.table.values, sparse],
    ] as const) {
      const kept = values.slice();
      for (let direction = 0; direction < 4; direction++) {
        const d = Float64Array.from(values, () => gaussian(random));
        const at = async (h: number) => {
          for (let i = 0; i < values.length; i++) values[i] = kept[i]! + h * d[i]!;
          return (await run()).loss;
        };
        const h = 4e-3;
        const numeric = (8 * ((await at(h)) - (await at(-h))) - ((await at(2 * h)) - (await at(-2 * h)))) / (12 * h);
        values.set(kept);
        const analytic = gradient.reduce((sum, g, i) => sum + g * d[i]!, 0);
        const size = Math.hypot(...gradient);
        expect(Math.abs(analytic - numeric)).toBeLessThan(0.01 * size);
      }
    }
  });
});

describe('temperature', () => {
  it('0 takes the likeliest option each time', async () => {
    const policy = await createPolicy();
    const { features, spaces } = encode(policy);
    const draw = new Sampler(policy, features).prepare(spaces[1]!, { temperature: 0, guidance: 0 });
    const cold = new Sampler(policy, features).prepare(spaces[1]!, { temperature: 1e-3, guidance: 0 });
    const likeliest = draw(seededRandom(1)).choices;
    for (let seed = 2; seed < 6; seed++) {
      expect(draw(seededRandom(seed)).choices).toEqual(likeliest);
      expect(cold(seededRandom(seed)).choices).toEqual(likeliest);
    }
  });

  it('very high draws all options alike', async () => {
    const policy = await createPolicy();
    const { features, spaces } = encode(policy, ['alpha']);
    const draw = new Sampler(policy, features).prepare(spaces[0]!, { temperature: 1e6, guidance: 0 });
    const random = seededRandom(4);
    const counts = new Array<number>(5).fill(0);
    for (let i = 0; i < 5000; i++) counts[draw(random).choices[2]!]!++;
    for (const count of counts) expect(Math.abs(count - 1000)).toBeLessThan(150);
  });
});

describe('guidance', () => {
  it('of 1 is the conditioned policy, and a small one nears the unconditioned', async () => {
    const policy = await createPolicy(0.8);
    const { features, spaces } = encode(policy, ['where do they keep it']);
    const sampler = new Sampler(policy, features);
    const plain = sampler.prepare(spaces[0]!, FREE);
    const guided = sampler.prepare(spaces[0]!, { temperature: 1, guidance: 1 });
    for (let seed = 0; seed < 20; seed++) {
      expect(guided(seededRandom(seed)).choices).toEqual(plain(seededRandom(seed)).choices);
    }
    const hidden = sampler.prepare(spaces[0]!, { temperature: 0, guidance: 1e-9 })(seededRandom(1)).choices;
    const all = await policy.logProbabilities(
      Array.from({ length: 5 }, (_, i) => ({ space: spaces[0]!, choices: hidden.with(6, i), masked: true })),
      features,
    );
    expect(all.indexOf(Math.max(...all))).toBe(hidden[6]);
  });
});
