/** Round values from at or below `low` to at or above `high`, about `count` of them, in steps of 1, 2 or 5 x 10^n. */
export function niceTicks(low: number, high: number, count = 4): readonly number[] {
  const span = high - low || Math.abs(high);
  // Logarithms of the tiniest numbers are not finite, and nobody reads an axis of them.
  const rough = (span > 1e-12 ? span : 1) / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 5, 10].find((factor) => factor * power >= rough * 0.999) as number);
  const first = Math.floor(low / step + 1e-9);
  const last = Math.max(first + 1, Math.ceil(high / step - 1e-9));
  // From whole multiples, so that 3 x 0.1 is not 0.30000000000000004 on the axis.
  return Array.from({ length: last - first + 1 }, (_, i) => Number(((first + i) * step).toPrecision(12)));
}

/** Moves positions apart to `gap` between neighbours, each as little as its neighbours allow, within [low, high]. */
export function spread(positions: readonly number[], gap: number, low: number, high: number): readonly number[] {
  const order = positions.map((_, index) => index).sort((a, b) => positions[a]! - positions[b]!);
  const placed = [...positions];
  let floor = low;
  for (const index of order) {
    placed[index] = Math.max(placed[index]!, floor);
    floor = placed[index]! + gap;
  }
  let ceiling = high;
  for (const index of order.reverse()) {
    placed[index] = Math.min(placed[index]!, ceiling);
    ceiling = placed[index]! - gap;
  }
  return placed;
}
