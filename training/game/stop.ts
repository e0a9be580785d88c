import type { GameConfig } from './config.ts';

export type StopReason = 'rounds' | 'patience' | 'gap';

export interface RoundProgress {
  /** Mean over languages, on held-out rows. */
  readonly auprc: number;
  readonly gap: number | null;
}

/** Why the game ends after the rounds of `history`, whose first is round 0; undefined while it goes on. */
export function stopReason(
  history: readonly RoundProgress[],
  { rounds, stop: { patience, gapPatience, tolerance } }: Pick<GameConfig, 'rounds' | 'stop'>,
): StopReason | undefined {
  if (history.length > rounds) return 'rounds';
  if (
    sinceLastGain(
      history.map(({ auprc }) => auprc),
      tolerance,
    ) >= patience
  )
    return 'patience';
  const gaps = history.map(({ gap }) => -(gap ?? Number.POSITIVE_INFINITY));
  return sinceLastGain(gaps, tolerance) >= gapPatience ? 'gap' : undefined;
}

/** How many values came after the last that was above all earlier ones by more than `tolerance`. */
function sinceLastGain(values: readonly number[], tolerance: number): number {
  let best = Number.NEGATIVE_INFINITY;
  let last = 0;
  for (const [index, value] of values.entries()) {
    if (!(value > best + tolerance)) continue;
    best = value;
    last = index;
  }
  return values.length - 1 - last;
}
