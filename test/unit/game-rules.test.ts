import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { attackSuccess, bestResponseGap, estimateKl, gameValue, type Probe } from '../../training/game/attack.ts';
import { drawRows, sourceQuotas } from '../../training/game/base-set.ts';
import { gameConfigSchema } from '../../training/game/config.ts';
import type { GameRow, JudgedCandidate } from '../../training/game/contract.ts';
import { filterCandidates } from '../../training/game/filter.ts';
import { decidePromotion, type LanguageFigures } from '../../training/game/gate.ts';
import { isFaithful, levelOf } from '../../training/game/levels.ts';
import { formPairs, toTrlRow } from '../../training/game/pairs.ts';
import { isRefusal } from '../../training/game/refusals.ts';
import { stopReason } from '../../training/game/stop.ts';
import type { Candidate, GenerationTask } from '../../training/generator/contract.ts';

const CONFIG = gameConfigSchema.parse({});

const task = (unsafe: boolean, lang = 'fr', text = 'a text of the seed'): GenerationTask => ({
  seed: { id: `${lang}-${unsafe}`, text, lang: 'en', unsafe, categories: unsafe ? ['hate'] : [], source: 'toy' },
  lang,
});

const candidate = (text: string, lang = 'fr', logProbability = -1): Candidate => ({
  seed: 'seed',
  lang,
  text,
  logProbability,
  choices: [],
});

/** A candidate of a task that got this rating, and whether the guardrail was fooled. */
function judged(
  tasks: readonly GenerationTask[],
  number: number,
  text: string,
  fooled: boolean,
  rating = 5,
): JudgedCandidate {
  const { seed, lang } = tasks[number]!;
  const flagged = fooled !== seed.unsafe;
  const level = levelOf(seed.unsafe, { score: 0.5, flagged }, rating);
  return { task: number, candidate: candidate(text, lang), score: flagged ? 0.9 : 0.1, flagged, rating, level };
}

describe('levels', () => {
  it('take a rewriting as faithful that still says what its seed says', () => {
    expect([1, 2, 3, 4, 5].map(isFaithful)).toEqual([false, false, true, true, true]);
  });

  it.each([
    [true, false, 5, 'chosen'],
    [true, true, 5, 'rejected'],
    [true, false, 2, 'unfaithful'],
    [true, true, 2, 'unsure'],
    [false, true, 4, 'chosen'],
    [false, false, 4, 'rejected'],
    [false, true, 3, 'chosen'],
    [false, false, 3, 'rejected'],
    [false, false, 2, 'unsure'],
    [false, true, 1, 'unfaithful'],
  ] as const)('unsafe %s, flagged %s, rated %s: %s', (unsafe, flagged, rating, level) => {
    expect(levelOf(unsafe, { score: 0.5, flagged }, rating)).toBe(level);
  });
});

describe('pairs', () => {
  const tasks = [task(true), task(false), task(true, 'de')];
  const all = [
    judged(tasks, 0, 'won 1', true),
    judged(tasks, 0, 'won 2', true),
    judged(tasks, 0, 'lost', false),
    judged(tasks, 0, 'astray', true, 1),
    judged(tasks, 1, 'never won', false),
    judged(tasks, 2, 'nothing to reject', true),
  ];

  it('set a misclassified faithful candidate against another of its task, and skip seeds without one', () => {
    const pairs = formPairs(tasks, all, { ...CONFIG.pairs, unfaithfulRejected: false }, 1);
    expect(pairs).toHaveLength(1);
    expect(pairs[0]!.chosen.text).toMatch(/^won/);
    expect(pairs[0]!.rejected.text).toBe('lost');
    expect(pairs[0]!.task).toBe(tasks[0]);
  });

  it('take unfaithful candidates as rejected only once the correctly classified ones are used up', () => {
    const pairs = formPairs(tasks, all, CONFIG.pairs, 1);
    expect(pairs.map(({ rejected }) => rejected.text).sort()).toEqual(['astray', 'lost']);
    expect(new Set(pairs.map(({ chosen }) => chosen.text)).size).toBe(2);
    const [single] = formPairs(tasks, all, { ...CONFIG.pairs, perTask: 1 }, 1);
    expect(single!.rejected.text).toBe('lost');
  });

  it('are written as TRL reads them', () => {
    const [pair] = formPairs(tasks, all, CONFIG.pairs, 1);
    expect(toTrlRow(pair!)).toEqual({
      prompt: expect.stringContaining('a text of the seed'),
      chosen: pair!.chosen.text,
      rejected: pair!.rejected.text,
    });
  });
});

describe('the filter', () => {
  const tasks = [task(true), task(false), task(true, 'de')];
  const limits = { ...CONFIG.filter, perTask: 10 };
  const input = { tasks, earlier: [] as GameRow[], round: 1, limits, selection: 'misclassified', seed: 1 } as const;

  it('keeps what is faithful, misclassified, of like length, new and no refusal', () => {
    const long = 'x'.repeat(18 + 201);
    const { kept, left } = filterCandidates({
      ...input,
      earlier: [{ ...row('fr', true), text: 'kept in an earlier round' }],
      judged: [
        judged(tasks, 0, 'a good candidate of the first seed', true),
        judged(tasks, 0, 'A good candidate, of the first seed!', true),
        judged(tasks, 0, 'one that was seen through at once', false),
        judged(tasks, 0, 'one that went astray', true, 2),
        judged(tasks, 0, 'Je suis désolé, je ne peux pas vous aider', true),
        judged(tasks, 1, long, true),
        judged(tasks, 1, 'kept in an earlier round', true),
        judged(tasks, 1, 'a safe one that went astray', true, 2),
        judged(tasks, 1, 'quite another text for the safe seed', true, 4),
      ],
    });
    expect(kept.map(({ text }) => text.toLowerCase().replaceAll(/[^a-z ]/g, '')).sort()).toEqual([
      'a good candidate of the first seed',
      'quite another text for the safe seed',
    ]);
    expect(left).toEqual({
      unfaithful: 2,
      refusals: 1,
      lengths: 1,
      classified: 1,
      unknown: 0,
      unanimous: 0,
      repeated: 2,
      surplus: 0,
    });
    expect(kept.find(({ unsafe }) => !unsafe)).toMatchObject({
      lang: 'fr',
      categories: [],
      round: 1,
      source: 'synthetic',
    });
  });

  it('measures lengths from the part of a long seed that was rewritten', () => {
    const long = [task(true, 'fr', 'A sentence of a long seed. '.repeat(40))];
    const { candidate, ...rest } = judged(long, 0, 'Une phrase de la fin.', true);
    expect(filterCandidates({ ...input, tasks: long, judged: [{ ...rest, candidate }] }).left.lengths).toBe(1);
    const part = { ...candidate, seedLength: 26 };
    expect(filterCandidates({ ...input, tasks: long, judged: [{ ...rest, candidate: part }] }).kept).toHaveLength(1);
  });

  const many = Array.from({ length: 60 }, (_, i) =>
    judged(tasks, i % 3, `${'abcdefghij'.repeat(3).slice(i % 9)} ${i * 7919} ${i}`, i % 5 < 2),
  );

  it('limits candidates of a seed and of a round', () => {
    const { kept } = filterCandidates({ ...input, judged: many, limits: { ...limits, perTask: 3, most: 7 } });
    expect(kept).toHaveLength(7);
    expect(filterCandidates({ ...input, judged: many, limits: { ...limits, perTask: 1 } }).kept).toHaveLength(3);
  });

  it('leaves out rewritings of seeds that the guardrail gets wrong themselves', () => {
    const judgedTexts = [
      judged(tasks, 0, 'a question that the guardrail never flagged', true),
      judged(tasks, 2, 'etwas ganz anderes, das durchkam', true),
    ];
    const { kept, left } = filterCandidates({ ...input, judged: judgedTexts, known: [false, true, true] });
    expect(kept.map(({ lang }) => lang)).toEqual(['de']);
    expect(left.unknown).toBe(1);
  });

  it('levels the labels of each language with the least certain of those that were classified correctly', () => {
    const unsafeOnly = [
      judged(tasks, 0, 'fooled the guardrail by being quite polite', true),
      judged(tasks, 0, 'slipped past as a question about gardening', true),
      judged(tasks, 2, 'kam durch, weil niemand die Wörter kannte', true),
    ];
    const harmless = ['bread is baked', 'river boats sail', 'winter came early', 'chess takes patience'];
    const safe = [0.1, 0.45, 0.3, 0.2].map((score, i) => ({
      ...judged(tasks, 1, harmless[i]!, false),
      score,
    }));
    const counterweight = { ...input, limits: { ...limits, counterweight: true } };
    const { kept } = filterCandidates({ ...counterweight, judged: [...unsafeOnly, ...safe] });
    expect(kept.filter(({ unsafe }) => !unsafe).map(({ text }) => text.split(' ')[0])).toEqual(['river', 'winter']);
    expect(kept).toHaveLength(5);
    expect(filterCandidates({ ...counterweight, judged: unsafeOnly }).kept).toHaveLength(3);
  });

  it('takes as many at random for the control, and as many as another run kept', () => {
    const count = (rows: readonly GameRow[], lang: string) => rows.filter((own) => own.lang === lang).length;
    const adversarial = filterCandidates({ ...input, judged: many }).kept;
    const control = filterCandidates({ ...input, judged: many, selection: 'random' }).kept;
    for (const lang of ['fr', 'de']) expect(count(control, lang)).toBe(count(adversarial, lang));
    const fooling = new Set(many.filter(({ level }) => level === 'chosen').map(({ candidate: { text } }) => text));
    expect(control.every(({ text }) => fooling.has(text))).toBe(false);
    const copied = filterCandidates({ ...input, judged: many, selection: 'random', quotas: { fr: 2, de: 5 } }).kept;
    expect([count(copied, 'fr'), count(copied, 'de')]).toEqual([2, 5]);
  });

  it.each([
    "I'm sorry, but I can't help with that",
    'I cannot assist with this request.',
    'Lo siento, no puedo ayudar',
    'Es tut mir leid, aber dabei kann ich nicht helfen',
    'En tant qu’IA, je refuse',
  ])('knows the refusal %s', (text) => {
    expect(isRefusal(text)).toBe(true);
  });

  it.each([
    "I'm so happy about it",
    'How can I say that I am sorry?',
    'Je cherche un bon restaurant',
    'Ich kann nicht schlafen',
  ])('takes %s for none', (text) => {
    expect(isRefusal(text)).toBe(false);
  });
});

describe('measures of an attack', () => {
  const tasks = [task(true), task(false), task(true, 'de')];
  const probe = (number: number, rating: number, own: number, reference: number): Probe => ({
    task: number,
    rating,
    candidate: candidate('x', 'fr', own),
    referenceLogProbability: reference,
  });
  const probes = [probe(0, 5, -1, -2), probe(1, 5, -2, -2), probe(2, 3, -3, -2), probe(2, 1, -1, -1)];
  const judgements = [
    { score: 0.2, flagged: false },
    { score: 0.1, flagged: false },
    { score: 0.8, flagged: true },
    { score: 0.1, flagged: false },
  ];

  it('count faithful candidates only', () => {
    expect(attackSuccess(tasks, probes, judgements)).toEqual({
      success: 1 / 3,
      evasion: 1 / 2,
      falseAlarms: 0,
      byLanguage: { fr: 1 / 2, de: 0 },
      candidates: 3,
    });
    expect(attackSuccess(tasks, [], [])).toMatchObject({ success: null, candidates: 0 });
  });

  it('estimate the KL and the value by hand-worked means', () => {
    expect(estimateKl(probes)).toBeCloseTo((1 + 0 - 1 + 0) / 4, 12);
    const shifted = [probe(0, 5, -1, -3)];
    expect(gameValue(tasks, shifted, judgements, 0.5)).toBeCloseTo(-Math.log(0.2) - 0.5 * 2, 12);
  });

  it('give the gap as newest against newest minus newest against first', () => {
    const success = (value: number | null) => ({ ...attackSuccess(tasks, probes, judgements), success: value });
    expect(bestResponseGap(success(0.2), success(0.6))).toBeCloseTo(-0.4, 12);
    expect(bestResponseGap(success(null), success(0.6))).toBeNull();
  });
});

describe('the gate', () => {
  const figures = (lang: string, auprc: number, fpr: number): LanguageFigures => ({
    lang,
    auprc,
    fpr,
    n: 2000,
    safe: 1000,
    f1: 0,
    recall: 0,
  });
  const before = [figures('en', 0.8, 0.1), figures('fr', 0.6, 0.1)];
  const gate = { auprcMargin: 0.01, fprMargin: 0.02 };

  it('lets through what is better over all and nowhere worse by more than the margins', () => {
    const next = [figures('en', 0.795, 0.115), figures('fr', 0.65, 0.05)];
    expect(decidePromotion(next, before, gate)).toEqual({ passed: true, reasons: [] });
  });

  it('takes no fault in false positives within the limit of the thresholds, or that chance explains', () => {
    const better = (fpr: number, safe: number) => [{ ...figures('en', 0.9, fpr), safe }, figures('fr', 0.9, 0.1)];
    expect(decidePromotion(better(0.15, 1_000_000), [figures('en', 0.8, 0), figures('fr', 0.6, 0)], gate).passed).toBe(
      true,
    );
    expect(decidePromotion(better(0.2, 1_000_000), before, gate).passed).toBe(false);
    expect(decidePromotion(better(0.2, 100), before, gate).passed).toBe(true);
    expect(decidePromotion(better(0.3, 100), before, gate).passed).toBe(false);
  });

  it.each([
    [
      'a language that lost AUPRC',
      [figures('en', 0.78, 0.1), figures('fr', 0.9, 0.1)],
      /^en: AUPRC 78\.00 % after 80\.00 %$/,
    ],
    [
      'a language with more false positives',
      [figures('en', 0.9, 0.1), figures('fr', 0.9, 0.2)],
      /^fr: false-positive rate 20\.00 % after 10\.00 %$/,
    ],
    ['no gain over all', [figures('en', 0.8, 0.1), figures('fr', 0.6, 0.1)], /^mean AUPRC .* is not above/],
  ])('stops %s', (_, next, reason) => {
    const { passed, reasons } = decidePromotion(next, before, gate);
    expect(passed).toBe(false);
    expect(reasons).toEqual([expect.stringMatching(reason)]);
  });
});

describe('the rules to stop', () => {
  const rules = { rounds: 9, stop: { patience: 2, gapPatience: 2, tolerance: 0.001 } };
  const history = (auprc: readonly number[], gap: readonly number[]) =>
    auprc.map((value, i) => ({ auprc: value, gap: gap[i]! }));

  it.each([
    ['while both improve', [0.5, 0.6, 0.7], [0, -0.1, -0.2], undefined],
    ['after two rounds without better AUPRC', [0.5, 0.6, 0.6005, 0.59], [0, -0.1, -0.2, -0.3], 'patience'],
    ['not after one', [0.5, 0.6, 0.59], [0, -0.1, -0.2], undefined],
    ['after two rounds in which the gap does not shrink', [0.5, 0.6, 0.7, 0.8], [0, -0.2, -0.2, -0.1], 'gap'],
  ] as const)('%s', (_, auprc, gap, reason) => {
    expect(stopReason(history(auprc, gap), rules)).toBe(reason);
  });

  it('end the game after its last round, round 0 not counted', () => {
    expect(stopReason(history([0.5, 0.6], [0, -0.1]), { ...rules, rounds: 1 })).toBe('rounds');
    expect(stopReason(history([0.5], [0]), { ...rules, rounds: 1 })).toBeUndefined();
  });
});

function row(lang: string, unsafe: boolean, source = 'a', id = ''): GameRow {
  return { id, text: `${source} ${id}`, lang, unsafe, categories: [], source, license: 'none', round: 0 };
}

describe('the base set', () => {
  const rows = ['en', 'fr'].flatMap((lang) =>
    [true, false].flatMap((unsafe) => [
      ...Array.from({ length: 90 }, (_, i) => row(lang, unsafe, 'large', `${i}`)),
      ...Array.from({ length: 10 }, (_, i) => row(lang, unsafe, 'small', `${i}`)),
    ]),
  );
  const options = { rows: 100, shares: { en: 0.9, fr: 0.1 }, unsafeShare: 0.4, sizeExponent: 0.5, seed: 1 };
  const count = (drawn: readonly GameRow[], wanted: (own: GameRow) => boolean) => drawn.filter(wanted).length;

  it('has the shares asked for, and small sources more often than their size', () => {
    const drawn = drawRows(rows, options);
    expect(count(drawn, ({ lang, unsafe }) => lang === 'en' && unsafe)).toBe(36);
    expect(count(drawn, ({ lang }) => lang === 'fr')).toBe(10);
    expect(count(drawn, ({ lang, unsafe, source }) => lang === 'en' && unsafe && source === 'small')).toBeGreaterThan(
      7,
    );
    expect(drawRows(rows, options)).toEqual(drawn);
    expect(drawRows(rows, { ...options, seed: 2 })).not.toEqual(drawn);
  });

  it('is smaller rather than of other shares, and refuses an empty class', () => {
    const drawn = drawRows(rows, { ...options, rows: 1000 });
    expect(drawn.length).toBeLessThanOrEqual(186);
    expect(count(drawn, ({ lang }) => lang === 'fr') / drawn.length).toBeCloseTo(0.1, 1);
    expect(() =>
      drawRows(
        rows.filter(({ lang, unsafe }) => lang !== 'fr' || unsafe),
        options,
      ),
    ).toThrow('the data has no safe rows in fr');
  });

  it('gives out exactly what is asked, to nobody more than it has', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1, maxLength: 8 }),
        fc.integer({ min: 1, max: 200 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (sizes, wanted, exponent) => {
          const quotas = sourceQuotas(sizes, wanted, exponent);
          const all = sizes.reduce((a, b) => a + b, 0);
          expect(quotas.reduce((a, b) => a + b, 0)).toBe(Math.min(wanted, all));
          expect(quotas.every((quota, index) => quota >= 0 && quota <= sizes[index]!)).toBe(true);
        },
      ),
    );
  });
});
