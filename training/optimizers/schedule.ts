/** Learning rate at `step` (from 0): linear warm-up to `peak`, then half a cosine down to `floor` times the peak. */
export function warmupCosine(step: number, { peak, warmup, total, floor = 0 }: CosineSchedule): number {
  // The last step of a warm-up that is no whole number of steps would go over the peak.
  if (step < warmup) return peak * Math.min(1, (step + 1) / warmup);
  const progress = Math.min(1, (step - warmup) / Math.max(1, total - warmup));
  return peak * (floor + (1 - floor) * 0.5 * (1 + Math.cos(Math.PI * progress)));
}

export interface CosineSchedule {
  readonly peak: number;
  /** Steps. */
  readonly warmup: number;
  readonly total: number;
  /** Fraction of the peak that remains at the end. */
  readonly floor?: number;
}
