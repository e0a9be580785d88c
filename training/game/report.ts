import type { EvaluationReport } from '../evaluation/evaluate.ts';
import type { GenerationTask, PreferenceFigures } from '../generator/contract.ts';
import type { GameConfig } from './config.ts';
import { type GameRow, type JudgedCandidate, LEVELS, type Level } from './contract.ts';
import type { FilterCounts } from './filter.ts';
import { type LanguageFigures, meanAuprc } from './gate.ts';
import type { GuardrailRecord } from './guardrail-player.ts';
import type { HorizonFigures } from './horizons.ts';
import type { Encounter, RoundEvaluation } from './measure.ts';
import type { Publication } from './publish-round.ts';
import type { Separability } from './separability.ts';
import type { StopReason } from './stop.ts';

/** `report.json` of a run. Without times, so that a resumed run writes the same bytes; those are in the journal. */
export interface GameReport {
  readonly format: 1;
  readonly id: string;
  readonly generator: string;
  readonly config: GameConfig;
  /** Rows of the base set by language. */
  readonly base: Readonly<Record<string, number>>;
  readonly rounds: readonly RoundReport[];
  /** Why the game ended; `null` while it goes on. */
  readonly stopped: StopReason | null;
}

export interface SampleText {
  readonly seed: string;
  readonly seedText: string;
  readonly unsafe: boolean;
  readonly lang: string;
  readonly text: string;
  readonly score: number;
  readonly rating: number;
  readonly level: Level;
}

/** What a round did before it was measured; round 0 attacks nothing. */
export interface AttackReport {
  readonly tasks: number;
  readonly candidates: number;
  /** Candidates by language and level. */
  readonly levels: Readonly<Record<string, Readonly<Record<Level, number>>>>;
  readonly pairs: number;
  readonly separability: Separability;
  /** `null` when the generator learned nothing. */
  readonly learned: PreferenceFigures | null;
  /** Kept candidates by language. */
  readonly kept: Readonly<Record<string, number>>;
  readonly leftOut: FilterCounts;
  readonly samples: readonly SampleText[];
}

export interface RoundReport {
  readonly round: number;
  readonly attack: AttackReport | null;
  readonly guardrail: GuardrailRecord;
  /** Share of synthetic rows in the training set, by language. */
  readonly syntheticShare: Readonly<Record<string, number>>;
  readonly meanAuprc: number;
  readonly heldOut: readonly LanguageFigures[];
  readonly benchmark: EvaluationReport | null;
  /** Every generator so far against this guardrail, and this generator against every guardrail. */
  readonly encounters: readonly Encounter[];
  /** Where the game looks ahead. */
  readonly horizons?: readonly HorizonFigures[];
  readonly gap: number | null;
  readonly kl: number;
  readonly value: number | null;
  /** `null` in round 0, which is not published. */
  readonly published: Publication | null;
}

export function roundReport(
  round: number,
  parts: {
    readonly attack: AttackReport | null;
    readonly guardrail: GuardrailRecord;
    readonly rows: readonly GameRow[];
    readonly evaluation: RoundEvaluation;
    readonly published: Publication | null;
  },
): RoundReport {
  const { attack, guardrail, rows, evaluation, published } = parts;
  return {
    round,
    attack,
    guardrail,
    syntheticShare: syntheticShares(rows),
    meanAuprc: meanAuprc(evaluation.heldOut),
    ...evaluation,
    published,
  };
}

export function countByLanguage(rows: readonly { readonly lang: string }[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { lang } of rows) counts[lang] = (counts[lang] ?? 0) + 1;
  return counts;
}

function syntheticShares(rows: readonly GameRow[]): Record<string, number> {
  const synthetic = countByLanguage(rows.filter(({ round }) => round > 0));
  const all = Object.entries(countByLanguage(rows));
  return Object.fromEntries(all.map(([lang, count]) => [lang, (synthetic[lang] ?? 0) / count]));
}

export function countLevels(judged: readonly JudgedCandidate[]): AttackReport['levels'] {
  const counts: Record<string, Record<Level, number>> = {};
  for (const { level, candidate } of judged) {
    const own = counts[candidate.lang] ?? { chosen: 0, rejected: 0, unfaithful: 0, unsure: 0 };
    counts[candidate.lang] = own;
    own[level]++;
  }
  return counts;
}

/** Sample texts of each language and level. */
const SAMPLES = 4;

export function sampleTexts(tasks: readonly GenerationTask[], judged: readonly JudgedCandidate[]): SampleText[] {
  const languages = [...new Set(judged.map(({ candidate }) => candidate.lang))];
  const wanted = languages.flatMap((lang) => LEVELS.map((level) => ({ lang, level })));
  return wanted.flatMap(({ lang, level }) => {
    const own = judged.filter((one) => one.level === level && one.candidate.lang === lang);
    // Spread over the round, so that they come of different seeds.
    const step = Math.max(1, Math.floor(own.length / SAMPLES));
    return own.filter((_, index) => index % step === 0 && index / step < SAMPLES).map((one) => toSample(tasks, one));
  });
}

function toSample(tasks: readonly GenerationTask[], { task, candidate, score, rating, level }: JudgedCandidate) {
  const { seed, lang } = tasks[task]!;
  return { seed: seed.id, seedText: seed.text, unsafe: seed.unsafe, lang, text: candidate.text, score, rating, level };
}
