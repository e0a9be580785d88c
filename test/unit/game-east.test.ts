import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { gameConfigSchema } from '../../training/game/config.ts';
import type { JudgedCandidate } from '../../training/game/contract.ts';
import { entropyWeights, taskEntropies } from '../../training/game/east.ts';
import { filterCandidates } from '../../training/game/filter.ts';
import type { GenerationTask } from '../../training/generator/contract.ts';

const CONFIG = gameConfigSchema.parse({});

describe('entropies of tasks', () => {
  const says = (task: number, flagged: boolean, rating = 5) => ({ task, flagged, rating });

  it('are in bits over right and wrong answers to faithful candidates', () => {
    const judged = [
      ...[true, false, true, false].map((flagged) => says(0, flagged)),
      ...[true, false, false, false].map((flagged) => says(1, flagged)),
      ...[false, false].map((flagged) => says(2, flagged)),
      // Of an unfaithful candidate nobody knows what is right.
      says(2, true, 1),
    ];
    const [half, quarter, unanimous, empty] = taskEntropies([true, false, true, true], judged);
    expect(half).toBe(1);
    // -(1/4) log2(1/4) - (3/4) log2(3/4)
    expect(quarter).toBeCloseTo(0.5 + 0.75 * Math.log2(4 / 3), 12);
    expect([unanimous, empty]).toEqual([0, 0]);
  });
});

describe('weights', () => {
  it('are powers of the entropy with mean 1', () => {
    expect(entropyWeights([1, 0.5], 1)).toEqual([4 / 3, 2 / 3]);
    expect(entropyWeights([1, 0.5], -1)).toEqual([2 / 3, 4 / 3]);
    expect(entropyWeights([1, 0.5, 0], 0)).toEqual([1, 1, 1]);
    expect(entropyWeights([0, 0], 1)).toEqual([0, 0]);
    const entropy = fc.double({ min: 0.01, max: 1, noNaN: true });
    fc.assert(
      fc.property(fc.array(entropy, { minLength: 1 }), fc.double({ min: -3, max: 3, noNaN: true }), (all, exponent) => {
        const weights = entropyWeights(all, exponent);
        expect(weights.reduce((a, b) => a + b, 0) / all.length).toBeCloseTo(1, 9);
      }),
    );
  });
});

describe('the filter with weighting: east', () => {
  const tasks: GenerationTask[] = [0, 1, 2].map((number) => ({
    seed: {
      id: `${number}`,
      text: 'a text of the seed',
      lang: 'en',
      unsafe: true,
      categories: ['hate'],
      source: 'toy',
    },
    lang: 'fr',
  }));
  const WORDS = ['apple river winter', 'garden bread stone', 'singing green friend', 'under walking old'];
  /** Task 0 fooled the guardrail always, task 1 in half of the cases, task 2 once in four. */
  const judged = [4, 2, 1].flatMap((fooled, task) =>
    WORDS.map((words, i): JudgedCandidate => {
      const flagged = i >= fooled;
      const candidate = {
        seed: `${task}`,
        lang: 'fr',
        text: `${task} ${words} ${task * 77}`,
        logProbability: -1,
        choices: [],
      };
      return { task, candidate, score: 0.5, flagged, rating: 5, level: flagged ? 'rejected' : 'chosen' };
    }),
  );
  const limits = { ...CONFIG.filter, perTask: 9, nearDuplicate: 1 };
  const input = { tasks, judged, earlier: [], round: 1, limits, selection: 'misclassified', seed: 1 } as const;

  it('weighs rows by their task, and drops what is unanimous', () => {
    const { kept, left } = filterCandidates({ ...input, east: { exponent: 1, dropUnanimous: true } });
    expect(left.unanimous).toBe(4);
    expect(kept).toHaveLength(3);
    const weightOf = (id: string) => kept.find((row) => row.id.startsWith(`${id}>`))?.weight as number;
    const quarter = 0.5 + 0.75 * Math.log2(4 / 3);
    expect(weightOf('2') / weightOf('1')).toBeCloseTo(quarter, 12);
    expect(kept.reduce((sum, { weight }) => sum + (weight ?? 0), 0) / 3).toBeCloseTo(1, 12);
  });

  it('can keep it, with no weight', () => {
    const { kept, left } = filterCandidates({ ...input, east: { exponent: 1, dropUnanimous: false } });
    expect(left.unanimous).toBe(0);
    expect(kept.filter(({ weight }) => weight === 0)).toHaveLength(4);
  });

  it('is off unless it is asked for', () => {
    expect(CONFIG.weighting).toBe('none');
    const { kept } = filterCandidates(input);
    expect(kept).toHaveLength(7);
    expect(kept.every(({ weight }) => weight === undefined)).toBe(true);
  });

  it('refuses infinite weights', () => {
    const parsed = gameConfigSchema.safeParse({ weighting: 'east', east: { exponent: -1, dropUnanimous: false } });
    expect(parsed.error?.issues[0]?.message).toMatch(/has to be true where the exponent is negative/);
  });
});
