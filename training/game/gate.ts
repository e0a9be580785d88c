import { CALIBRATION_LIMITS } from '../guardrail/publish.ts';
import type { GameConfig } from './config.ts';

/** Of one guardrail on one language's held-out rows. */
export interface LanguageFigures {
  readonly lang: string;
  readonly n: number;
  /** How many of them are safe. */
  readonly safe: number;
  readonly auprc: number | null;
  readonly f1: number | null;
  readonly recall: number | null;
  readonly fpr: number | null;
}

export interface GateDecision {
  readonly passed: boolean;
  /** Why not, in words. */
  readonly reasons: readonly string[];
}

/** One-sided, at 95 %. */
const QUANTILE = 1.645;

/**
 * Whether a checkpoint may replace another: in no language worse by more than the margins, and better over all.
 *
 * A false-positive rate within the limit that thresholds are set for is no fault even where the old one is lower: a
 * guardrail that knows nothing of a language flags nothing in it. Nor is what so few rows would show by chance.
 */
export function decidePromotion(
  next: readonly LanguageFigures[],
  incumbent: readonly LanguageFigures[],
  { auprcMargin, fprMargin }: GameConfig['gate'],
): GateDecision {
  const before = new Map(incumbent.map((figures) => [figures.lang, figures]));
  const reasons = next.flatMap(({ lang, safe, auprc, fpr }) => {
    const old = before.get(lang);
    const faults: string[] = [];
    if (old?.auprc != null && !(auprc !== null && auprc >= old.auprc - auprcMargin)) {
      faults.push(`${lang}: AUPRC ${percent(auprc)} after ${percent(old.auprc)}`);
    }
    if (old?.fpr != null && !(fpr !== null && fpr <= highestRate(old.fpr, safe) + fprMargin)) {
      faults.push(`${lang}: false-positive rate ${percent(fpr)} after ${percent(old.fpr)}`);
    }
    return faults;
  });
  const [mean, old] = [meanAuprc(next), meanAuprc(incumbent)];
  if (!(mean > old)) reasons.push(`mean AUPRC ${percent(mean)} is not above ${percent(old)}`);
  return { passed: reasons.length === 0, reasons };
}

/** The rate that `safe` rows show with a chance of 5 % when the true one is the old one, or the limit. */
function highestRate(old: number, safe: number): number {
  const rate = Math.max(old, CALIBRATION_LIMITS.maxFalsePositiveRate);
  return rate + QUANTILE * Math.sqrt((rate * (1 - rate)) / Math.max(1, safe));
}

/** Over languages, each counted once; 0 where none has one. */
export function meanAuprc(figures: readonly LanguageFigures[]): number {
  const known = figures.flatMap(({ auprc }) => auprc ?? []);
  return known.length === 0 ? 0 : known.reduce((sum, value) => sum + value, 0) / known.length;
}

function percent(value: number | null): string {
  return value === null ? 'none' : `${(100 * value).toFixed(2)} %`;
}
