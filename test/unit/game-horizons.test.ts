import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CATEGORIES, type Category } from '../../src/taxonomy.ts';
import { CATEGORY_GROUPS, groupOf } from '../../training/evaluation/category-groups.ts';
import { labelKl, setFigures } from '../../training/evaluation/label-sets.ts';
import type { Probe } from '../../training/game/attack.ts';
import type { CategoryJudgement } from '../../training/game/contract.ts';
import { horizonFigures } from '../../training/game/horizons.ts';
import { renderReport } from '../../training/game/page/report-page.ts';
import type { GenerationTask } from '../../training/generator/contract.ts';
import { inventedReport } from '../support/game-report.ts';

describe('sets of labels', () => {
  it('are measured text by text and averaged', () => {
    const texts = [
      { truth: ['a', 'b'], predicted: ['a'] },
      { truth: ['a'], predicted: ['a', 'b', 'c', 'd'] },
      { truth: ['c'], predicted: ['d'] },
    ];
    // By text: precision 1, 1/4, 0; recall 1/2, 1, 0; F1 2/3, 2/5, 0.
    const figures = setFigures(texts)!;
    expect(figures.precision).toBeCloseTo(1.25 / 3, 12);
    expect(figures.recall).toBeCloseTo(1.5 / 3, 12);
    expect(figures.f1).toBeCloseTo((2 / 3 + 2 / 5) / 3, 12);
    expect(setFigures([])).toBeNull();
  });

  it('have a KL worked out by hand, finite for labels that were never predicted', () => {
    const texts = [
      { truth: ['a'], predicted: ['a'] },
      { truth: ['a', 'b'], predicted: ['a'] },
    ];
    // True: a 3/4, b 1/4. Predicted, with half a text more for each label: a 2.5/3, b 0.5/3.
    const expected = 0.75 * Math.log(0.75 / (2.5 / 3)) + 0.25 * Math.log(0.25 / (0.5 / 3));
    expect(labelKl(texts, ['a', 'b'])).toBeCloseTo(expected, 12);
    expect(labelKl([], ['a'])).toBeNull();
  });

  it('have no negative KL', () => {
    const set = fc.subarray(['a', 'b', 'c'], { minLength: 1 });
    fc.assert(
      fc.property(fc.array(fc.record({ truth: set, predicted: set }), { minLength: 1, maxLength: 9 }), (texts) => {
        expect(labelKl(texts, ['a', 'b', 'c'])).toBeGreaterThanOrEqual(-1e-12);
      }),
    );
  });
});

describe('category groups', () => {
  it('hold every category in one group, and none is empty', () => {
    expect(new Set(CATEGORIES.map(groupOf))).toEqual(new Set(CATEGORY_GROUPS));
  });
});

describe('a horizon', () => {
  const task = (categories: readonly Category[] | null, unsafe = true): GenerationTask => ({
    seed: { id: 'x', text: 'x', lang: 'en', unsafe, categories, source: 'toy' },
    lang: 'fr',
  });
  const probe = (number: number, rating = 5): Probe => ({
    task: number,
    rating,
    candidate: { seed: 'x', lang: 'fr', text: 'x', logProbability: -1, choices: [] },
    referenceLogProbability: -1,
  });
  const judgement = (...categories: Category[]): CategoryJudgement => ({
    score: 0.5,
    flagged: categories.length > 0,
    categories,
  });

  it('counts faithful texts by category, group and binary; unnamed categories only there', () => {
    const tasks = [task(['violent_crimes']), task([], false), task(null), task(['hate', 'privacy'])];
    const figures = horizonFigures(
      tasks,
      [probe(0), probe(1), probe(2), probe(3), probe(0, 1)],
      // Another category of the same group; a false alarm; found; one of two; unfaithful.
      [judgement('indiscriminate_weapons'), judgement('hate'), judgement('hate'), judgement('hate'), judgement()],
      { guardrail: 1, generator: 3 },
    );
    expect(figures).toMatchObject({ guardrail: 1, generator: 3, horizon: 2, texts: 4, categorised: 3 });
    expect(figures.category).toEqual({ precision: 1 / 3, recall: 1 / 6, f1: 2 / 9 });
    expect(figures.group?.recall).toBeCloseTo(2 / 3, 12);
    expect(figures.binary?.f1).toBeCloseTo(3 / 4, 12);
    expect(figures.kl).toBeGreaterThan(0);
  });

  it('is on the page where a game looks ahead, and only there', () => {
    const report = inventedReport(1);
    expect(renderReport(report)).not.toContain('later generators');
    const [base, round] = report.rounds as [(typeof report.rounds)[0], (typeof report.rounds)[0]];
    const horizons = [
      horizonFigures([task(['hate'])], [probe(0)], [judgement('hate')], { guardrail: 0, generator: 1 }),
    ];
    const config = { ...report.config, evaluate: { horizons: 2 } };
    const page = renderReport({ ...report, config, rounds: [base, { ...round, horizons }] });
    expect(page).toContain('Up to 2 rounds ahead');
    expect(page).toMatch(/<th scope="row">0<\/th><td class="number">1<\/td><td class="number">1<\/td>/);
  });
});
