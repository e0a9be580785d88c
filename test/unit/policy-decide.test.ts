import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createPolicy, decide, relativeScore, severityOf } from '../../src/policy/decide.ts';
import { parsePolicyFile } from '../../src/policy/policy-file.ts';
import type { PolicyRules } from '../../src/policy/rules.ts';
import { CATEGORIES, perCategory } from '../../src/taxonomy.ts';

const half = perCategory(() => 0.5);
const zeros = () => new Float32Array(CATEGORIES.length);
const probability = fc.oneof(
  fc.double({ min: 0, max: 1, noNaN: true }),
  fc.constantFrom(0, 1, 0.5, Number.MIN_VALUE, 1 - 2 ** -53),
);

test('a category flags from its threshold on', () => {
  const scores = zeros();
  scores[8] = 0.5;
  const verdict = decide(scores, createPolicy(half));
  expect(verdict).toMatchObject({ flagged: true, action: 'block', score: 0.5, top_category: 'hate' });
  expect(Object.entries(verdict.categories).filter(([, flagged]) => flagged)).toEqual([['hate', true]]);
});

test('the request overlays the thresholds of the checkpoint, category by category', () => {
  const policy = createPolicy({ ...half, hate: 0.9 }, { thresholds: { privacy: 0.1 } });
  expect(policy.thresholds).toEqual({ ...half, hate: 0.9, privacy: 0.1 });
});

test('a category that is not enabled neither flags nor counts', () => {
  const scores = zeros();
  scores[0] = 0.99;
  scores[5] = 0.2;
  const verdict = decide(scores, createPolicy(half, { categories: ['privacy', 'hate'] }));
  expect(verdict).toMatchObject({ flagged: false, action: 'allow', top_category: 'privacy' });
  expect(verdict.score).toBeCloseTo(0.2, 6);
});

test('without enabled categories nothing flags', () => {
  const verdict = decide(zeros().fill(1), createPolicy(half, { categories: [] }));
  expect(verdict).toMatchObject({ flagged: false, score: 0 });
});

test('the top category is the one furthest above its own threshold', () => {
  const scores = zeros();
  scores[0] = 0.6;
  scores[1] = 0.4;
  const thresholds = { ...half, violent_crimes: 0.55, non_violent_crimes: 0.05 };
  expect(decide(scores, createPolicy(thresholds)).top_category).toBe('non_violent_crimes');
});

test('the relative score is sigmoid(logit p - logit t)', () => {
  fc.assert(
    fc.property(
      fc.double({ min: 0.01, max: 0.99, noNaN: true }),
      fc.double({ min: 0.01, max: 0.99, noNaN: true }),
      (p, t) => {
        const logit = (x: number) => Math.log(x / (1 - x));
        expect(relativeScore(p, t)).toBeCloseTo(1 / (1 + Math.exp(logit(t) - logit(p))), 9);
      },
    ),
  );
});

test('the relative score is at least one half exactly when p reaches t, also at the ends and within rounding', () => {
  fc.assert(
    fc.property(probability, probability, (p, t) => {
      const score = relativeScore(p, t);
      expect(score >= 0 && score <= 1).toBe(true);
      expect(score >= 0.5).toBe(p >= t);
    }),
    { numRuns: 2000 },
  );
});

test('the overall score is at least one half exactly when the item is flagged', () => {
  const record = fc.tuple(...CATEGORIES.map(() => probability));
  fc.assert(
    fc.property(record, record, fc.subarray([...CATEGORIES]), (scores, limits, categories) => {
      const policy = createPolicy(
        perCategory((_, index) => limits[index] as number),
        { categories },
      );
      const verdict = decide(scores, policy);
      expect(verdict.score >= 0.5).toBe(verdict.flagged);
      expect(Object.values(verdict.categories).includes(true)).toBe(verdict.flagged);
      if (verdict.flagged) expect(verdict.categories[verdict.top_category]).toBe(true);
    }),
  );
});

function rulesOf(rules: object): PolicyRules {
  return parsePolicyFile(JSON.stringify({ version: 1, policies: { a: rules } }), 'a.json').get('a') as PolicyRules;
}

test('the request overlays the policy, and the policy the checkpoint', () => {
  const rules = rulesOf({ categories: { hate: { threshold: 0.7 }, privacy: { threshold: 0.6 } } });
  const policy = createPolicy(half, { thresholds: { hate: 0.1 } }, rules);
  expect(policy.thresholds).toEqual({ ...half, hate: 0.1, privacy: 0.6 });
});

test('the action is the strongest of what flags, and an ignored category never flags', () => {
  const rules = rulesOf({
    default_action: 'flag',
    categories: { hate: { action: 'block' }, privacy: { action: 'ignore' } },
  });
  const policy = createPolicy(half, {}, rules);
  const on = (...categories: string[]) =>
    decide(
      CATEGORIES.map((id) => (categories.includes(id) ? 0.9 : 0)),
      policy,
    );
  expect(on()).toMatchObject({ flagged: false, action: 'allow' });
  expect(on('violent_crimes')).toMatchObject({ flagged: true, action: 'flag' });
  expect(on('violent_crimes', 'hate')).toMatchObject({ flagged: true, action: 'block' });
  expect(on('privacy')).toMatchObject({ flagged: false, action: 'allow' });
});

test('a category of one direction counts in that one only', () => {
  const rules = rulesOf({
    categories: { privacy: { direction: 'output' }, jailbreak_prompts: { direction: 'input' } },
  });
  expect(createPolicy(half, {}, rules, 'input').enabled.has('privacy')).toBe(false);
  expect(createPolicy(half, {}, rules, 'input').enabled.has('jailbreak_prompts')).toBe(true);
  expect(createPolicy(half, {}, rules, 'output').enabled.has('privacy')).toBe(true);
  expect(createPolicy(half, {}, rules, 'output').enabled.has('jailbreak_prompts')).toBe(false);
});

test('severity rises with the score, begins at the lower end of its band, and is none exactly below the lowest', () => {
  const bound = fc.double({ min: 0.5, max: 1, noNaN: true });
  const bands = fc.uniqueArray(bound, { minLength: 3, maxLength: 3 }).map((bounds) => {
    const [low, medium, high] = bounds.sort((a, b) => a - b) as [number, number, number];
    return { low, medium, high };
  });
  const order = ['none', 'low', 'medium', 'high'];
  fc.assert(
    fc.property(bands, probability, probability, (limits, a, b) => {
      const [small, large] = [Math.min(a, b), Math.max(a, b)];
      expect(order.indexOf(severityOf(large, limits))).toBeGreaterThanOrEqual(order.indexOf(severityOf(small, limits)));
      expect(severityOf(a, limits) === 'none').toBe(a < limits.low);
      for (const band of ['low', 'medium', 'high'] as const) expect(severityOf(limits[band], limits)).toBe(band);
    }),
  );
});

test('a lower threshold never makes a decision milder', () => {
  const rank = { allow: 0, flag: 1, block: 2 };
  const scores = fc.tuple(...CATEGORIES.map(() => probability));
  const actions = fc.tuple(...CATEGORIES.map(() => fc.constantFrom('block', 'flag', 'ignore')));
  fc.assert(
    fc.property(
      scores,
      actions,
      fc.constantFrom(...CATEGORIES),
      probability,
      probability,
      (given, chosen, id, a, b) => {
        const under = (threshold: number) => {
          const categories = Object.fromEntries(CATEGORIES.map((name, index) => [name, { action: chosen[index] }]));
          const policy = createPolicy(half, { thresholds: { [id]: threshold } }, rulesOf({ categories }));
          return rank[decide(given, policy).action];
        };
        expect(under(Math.min(a, b))).toBeGreaterThanOrEqual(under(Math.max(a, b)));
      },
    ),
  );
});
