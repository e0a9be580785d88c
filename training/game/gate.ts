import type { GameConfig } from './config.ts';

/** Of one guardrail on one language's held-out rows. */
export interface LanguageFigures {
  readonly lang: string;
  readonly n: number;
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

/** Whether a checkpoint may replace another: in no language worse by more than the margins, and better over all. */
export function decidePromotion(
  next: readonly LanguageFigures[],
  incumbent: readonly LanguageFigures[],
  { auprcMargin, fprMargin }: GameConfig['gate'],
): GateDecision {
  const before = new Map(incumbent.map((figures) => [figures.lang, figures]));
  const reasons = next.flatMap(({ lang, auprc, fpr }) => {
    const old = before.get(lang);
    const faults: string[] = [];
    if (old?.auprc != null && !(auprc !== null && auprc >= old.auprc - auprcMargin)) {
      faults.push(`${lang}: AUPRC ${percent(auprc)} after ${percent(old.auprc)}`);
    }
    if (old?.fpr != null && !(fpr !== null && fpr <= old.fpr + fprMargin)) {
      faults.push(`${lang}: false-positive rate ${percent(fpr)} after ${percent(old.fpr)}`);
    }
    return faults;
  });
  const [mean, old] = [meanAuprc(next), meanAuprc(incumbent)];
  if (!(mean > old)) reasons.push(`mean AUPRC ${percent(mean)} is not above ${percent(old)}`);
  return { passed: reasons.length === 0, reasons };
}

/** Over languages, each counted once; 0 where none has one. */
export function meanAuprc(figures: readonly LanguageFigures[]): number {
  const known = figures.flatMap(({ auprc }) => auprc ?? []);
  return known.length === 0 ? 0 : known.reduce((sum, value) => sum + value, 0) / known.length;
}

function percent(value: number | null): string {
  return value === null ? 'none' : `${(100 * value).toFixed(2)} %`;
}
