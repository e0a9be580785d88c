import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { DuoguardError } from '../../src/errors.ts';
import type { Classifier, ClassifyRequest, Verdict } from '../../src/moderation/contract.ts';
import { createTrialClassifier, NO_FIGURES, type Trial } from '../../src/moderation/trial.ts';
import { judgeTrial, type TrialFigures, type TrialRule } from '../../src/moderation/trial-rule.ts';
import { type Category, perCategory } from '../../src/taxonomy.ts';

const RULE: TrialRule = { items: 100, maxDisagreement: 0.05, maxErrors: 0.01, maxSlowdown: 1.5 };
const SOUND: TrialFigures = { requests: 100, errors: 0, compared: 100, disagreed: 5, candidateMs: 150, servingMs: 100 };

describe('judgeTrial', () => {
  test.each<[string, Partial<TrialFigures>, string]>([
    ['passes on every limit', {}, 'promote'],
    ['waits for the items', { compared: 99 }, 'continue'],
    ['disagrees too often', { disagreed: 6 }, 'disagreement 0.060 is above 0.05'],
    ['cannot come below the limit any more', { compared: 7, disagreed: 6 }, 'disagreement 0.060 is above 0.05'],
    ['fails before anything was compared', { compared: 0, disagreed: 0, errors: 2 }, 'errors 0.020 is above 0.01'],
    ['is too slow', { candidateMs: 151 }, 'slowdown 1.510 is above 1.5'],
    ['is too slow, but that is judged at the end', { compared: 99, candidateMs: 500 }, 'continue'],
  ])('a candidate that %s', (_, figures, expected) => {
    const judged = judgeTrial({ ...SOUND, ...figures }, RULE);
    expect(judged.decision === 'roll_back' ? judged.reason : judged.decision).toBe(expected);
  });

  test('a trial that is rolled back early would not have passed', () => {
    const count = fc.integer({ min: 0, max: 99 });
    fc.assert(
      fc.property(count, count, count, (compared, disagreed, errors) => {
        const now = {
          ...SOUND,
          requests: compared + errors,
          compared,
          errors,
          disagreed: Math.min(disagreed, compared),
        };
        if (judgeTrial(now, RULE).decision !== 'roll_back') return;
        const best = { ...now, compared: RULE.items, requests: RULE.items };
        expect(judgeTrial(best, RULE).decision).toBe('roll_back');
      }),
    );
  });
});

/** Answers with its own name; `flags` are the categories that fire. */
function classifier(checkpoint: string, flags: readonly Category[] = []) {
  const requests: ClassifyRequest[] = [];
  let failure: unknown;
  let itemFailure: object | undefined;
  let hanging = false;
  const answer: Classifier = {
    async classify(request) {
      requests.push(request);
      if (failure !== undefined) throw failure;
      if (hanging) await new Promise(() => {});
      const categories = perCategory((id) => flags.includes(id));
      const result = itemFailure ?? { categories };
      const timing_ms = { tokenization: 1, queue: 1, inference: checkpoint === 'candidate' ? 3 : 2, total: 5 };
      return { checkpoint, results: [{ index: 0, ...result }], timing_ms } as unknown as Verdict;
    },
  };
  return {
    ...answer,
    requests,
    failWith: (error: unknown) => {
      failure = error;
    },
    failItemsWith: (code: string, action: 'allow' | 'block') => {
      itemFailure = { error: { code, message: code }, action };
    },
    hang: () => {
      hanging = true;
    },
  };
}

function createTried(kind: Trial['kind'], share: number, candidateFlags: readonly Category[] = []) {
  const [serving, candidate] = [classifier('serving'), classifier('candidate', candidateFlags)];
  const trial: Trial = { id: 'candidate', kind, share, candidate, figures: NO_FIGURES };
  const compared: (readonly Category[])[] = [];
  const tried = createTrialClassifier({
    serving,
    trial: () => trial,
    compared: (categories) => compared.push(categories),
    changed: () => {},
    random: () => 0.5,
  });
  const classify = async (more: Partial<ClassifyRequest> = {}) =>
    (await tried.classify({ items: ['a'], longInput: 'window', signal: new AbortController().signal, ...more }))
      .checkpoint;
  return { serving, candidate, trial, compared, classify };
}

const copiesJudged = () => new Promise((resolve) => setTimeout(resolve, 20));

describe('a shadow', () => {
  test('never answers, is asked for its share afterwards, and only its disagreement is kept', async () => {
    const { candidate, trial, compared, classify } = createTried('shadow', 0.6, ['hate', 'privacy']);
    expect(await classify()).toBe('serving');
    expect(candidate.requests).toEqual([]);
    await copiesJudged();
    expect(candidate.requests).toHaveLength(1);
    expect(compared).toEqual([['privacy', 'hate']]);
    expect(trial.figures).toEqual({
      requests: 1,
      errors: 0,
      compared: 1,
      disagreed: 1,
      candidateMs: 3,
      servingMs: 2,
    });
  });

  test('is not asked outside its share', async () => {
    const { candidate, classify } = createTried('shadow', 0.4);
    await classify();
    await copiesJudged();
    expect(candidate.requests).toEqual([]);
  });

  test('that fails costs no answer', async () => {
    const { candidate, trial, classify } = createTried('shadow', 1);
    candidate.failWith(new DuoguardError('inference_failed'));
    expect(await classify()).toBe('serving');
    await copiesJudged();
    expect(trial.figures).toMatchObject({ requests: 1, errors: 1, compared: 0 });
  });

  test('that fails on what its policy lets pass did fail', async () => {
    const { candidate, trial, classify } = createTried('shadow', 1);
    candidate.failItemsWith('overloaded', 'allow');
    expect(await classify()).toBe('serving');
    await copiesJudged();
    expect(trial.figures).toMatchObject({ requests: 1, errors: 1, compared: 0 });
  });

  test('that hangs holds up no answer, and its copies do not pile up', async () => {
    const { candidate, classify } = createTried('shadow', 1);
    candidate.hang();
    for (let sent = 0; sent < 20; sent++) expect(await classify()).toBe('serving');
    await copiesJudged();
    expect(candidate.requests).toHaveLength(4);
  });
});

describe('a canary', () => {
  test('answers for its share and is compared afterwards', async () => {
    const { serving, trial, compared, classify } = createTried('canary', 0.6);
    expect(await classify()).toBe('candidate');
    expect(serving.requests).toEqual([]);
    await copiesJudged();
    expect([serving.requests.length, compared]).toEqual([1, [[]]]);
    expect(trial.figures).toMatchObject({ requests: 1, compared: 1, disagreed: 0, candidateMs: 3, servingMs: 2 });
    expect(await createTried('canary', 0.4).classify()).toBe('serving');
  });

  test('a key always gets the same checkpoint, and about the share of the keys gets the canary', async () => {
    const { classify } = createTried('canary', 0.3);
    const answers = new Map<string, string>();
    for (let key = 0; key < 1000; key++) answers.set(`user-${key}`, await classify({ routingKey: `user-${key}` }));
    for (const [routingKey, answer] of answers) expect(await classify({ routingKey })).toBe(answer);
    const share = [...answers.values()].filter((answer) => answer === 'candidate').length / answers.size;
    expect(share).toBeGreaterThan(0.24);
    expect(share).toBeLessThan(0.36);
  });

  test.each(['inference_failed', 'worker_crashed', 'overloaded'] as const)(
    'where it fails with %s, the serving checkpoint answers',
    async (code) => {
      const { candidate, trial, classify } = createTried('canary', 1);
      candidate.failWith(new DuoguardError(code));
      expect(await classify()).toBe('serving');
      expect(trial.figures).toMatchObject({ requests: 1, errors: 1 });
    },
  );

  test.each(['inference_failed', 'worker_crashed', 'overloaded'])(
    'where its policy would let a text pass after %s, the serving checkpoint judges it',
    async (code) => {
      const { candidate, trial, classify } = createTried('canary', 1);
      candidate.failItemsWith(code, 'allow');
      expect(await classify()).toBe('serving');
      expect(trial.figures).toMatchObject({ requests: 1, errors: 1 });
    },
  );

  test('takes no part in what only the serving checkpoint may answer', async () => {
    const { candidate, classify } = createTried('canary', 1);
    expect(await classify({ servingOnly: true })).toBe('serving');
    expect(candidate.requests).toEqual([]);
  });

  test('what is wrong with the request is no fault of it', async () => {
    const { candidate, trial, classify } = createTried('canary', 1);
    candidate.failWith(new DuoguardError('deadline_exceeded'));
    await expect(classify()).rejects.toThrow(expect.objectContaining({ code: 'deadline_exceeded' }));
    candidate.failWith(new DuoguardError('shutting_down'));
    expect(await classify()).toBe('serving');
    expect(trial.figures.errors).toBe(0);
  });
});
