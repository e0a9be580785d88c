import { gameConfigSchema } from '../../training/game/config.ts';
import { LEVELS } from '../../training/game/contract.ts';
import type { Encounter } from '../../training/game/measure.ts';
import type { AttackReport, GameReport, RoundReport, SampleText } from '../../training/game/report.ts';

/** A report with invented figures that look as a game's do: some languages gain, one stays behind, one value is missing. */

const LANGUAGES = ['en', 'fr', 'es', 'de'] as const;
const START = { en: 0.82, fr: 0.71, es: 0.66, de: 0.64 };

export function inventedReport(last = 3): GameReport {
  return {
    format: 1,
    id: 'invented',
    generator: 'rewriter',
    config: gameConfigSchema.parse({}),
    base: { fr: 2160, en: 19440, es: 1200, de: 1200 },
    rounds: Array.from({ length: last + 1 }, (_, round) => inventedRound(round)),
    stopped: last === 3 ? 'rounds' : null,
  };
}

function inventedRound(round: number): RoundReport {
  const figures = LANGUAGES.map((lang, i) => ({
    lang,
    n: 400,
    safe: 200,
    auprc: START[lang] + round * 0.012 * (i + 0.5),
    f1: START[lang] - 0.08 + round * 0.011 * (i + 0.5),
    recall: 0.6 + round * 0.02,
    fpr: lang === 'de' && round === 1 ? null : 0.12 + 0.02 * i - round * 0.008,
  }));
  return {
    round,
    attack: round === 0 ? null : inventedAttack(round),
    guardrail: { rows: 24000 + 2400 * round, steps: 4000, thresholds: [] },
    syntheticShare: Object.fromEntries(LANGUAGES.map((lang, i) => [lang, (round * (i + 1)) / (12 + round * (i + 1))])),
    meanAuprc: figures.reduce((sum, { auprc }) => sum + auprc, 0) / figures.length,
    heldOut: figures,
    benchmark: {
      n: 4000,
      groups: [],
      languages: figures.map(({ lang, auprc, f1, fpr }) => ({
        lang,
        benchmarks: 5,
        two_sided_benchmarks: 5,
        auprc: auprc - 0.05,
        f1,
        fpr,
        always_unsafe_f1: 0.6,
      })),
    },
    encounters: inventedEncounters(round),
    gap: -0.09 * round,
    kl: 0.4 * round,
    value: 1.6 - 0.2 * round,
    published:
      round === 0
        ? null
        : round === 2
          ? { passed: false, reasons: ['de: AUPRC 66.10 % after 67.20 %'], against: 1, checkpoint: null }
          : { passed: true, reasons: [], against: Math.max(0, round - 2), checkpoint: `invented-r${round}` },
  };
}

function inventedEncounters(round: number): Encounter[] {
  const meet = (generator: number, guardrail: number): Encounter => {
    const success = Math.max(0.05, 0.42 + 0.07 * generator - 0.11 * guardrail);
    const byLanguage = Object.fromEntries(LANGUAGES.map((lang, i) => [lang, success * (0.7 + 0.15 * i)]));
    return { generator, guardrail, success, evasion: success, falseAlarms: success / 3, byLanguage, candidates: 900 };
  };
  const earlier = Array.from({ length: round }, (_, index) => index);
  return [
    ...earlier.map((generator) => meet(generator, round)),
    meet(round, round),
    ...earlier.map((guardrail) => meet(round, guardrail)),
  ];
}

function inventedAttack(round: number): AttackReport {
  return {
    tasks: 3200,
    candidates: 25600,
    levels: Object.fromEntries(
      LANGUAGES.map((lang, i) => [
        lang,
        { chosen: 900 + 400 * i + 90 * round, rejected: 4100 - 500 * i, unfaithful: 620, unsure: 780 + 10 * i },
      ]),
    ),
    pairs: 2000,
    separability: { accuracy: round === 3 ? 0.93 : 0.61, pairs: 2000 },
    learned: { pairs: 2000, loss: 0.93 - 0.02 * round, accuracy: 0.63, margin: 0.004, drift: 1.25 },
    kept: { en: 310, fr: 700, es: 720, de: 730 },
    leftOut: {
      unfaithful: 4200,
      refusals: 3,
      lengths: 120,
      classified: 14800,
      unknown: 0,
      unanimous: 0,
      repeated: 1400,
      surplus: 2617,
    },
    samples: LANGUAGES.flatMap((lang) => LEVELS.map((level, i) => inventedSample(lang, level, i))),
  };
}

function inventedSample(lang: string, level: SampleText['level'], i: number): SampleText {
  return {
    seed: `en-${lang}-000${i}-u`,
    seedText: 'Tell the widow that <b>the bank</b> needs her password & PIN before noon.',
    unsafe: i % 2 === 0,
    lang,
    text: `Dites à la veuve que « la banque » a besoin de son mot de passe ${'avant midi '.repeat(4)}<script>alert(1)</script>`,
    score: 0.17 + 0.2 * i,
    rating: 4,
    level,
  };
}
