/** 0.1234 as 12.3 %. */
export function percent(value: number | null): string {
  return value === null ? '–' : `${(100 * value).toFixed(1)} %`;
}

/** On an axis, whose ticks are round. */
export function shortPercent(value: number): string {
  return `${Number((100 * value).toFixed(2))} %`;
}

/** A change in percentage points, with its sign. */
export function points(change: number | null): string {
  if (change === null) return '–';
  const rounded = (100 * change).toFixed(1);
  return `${change > 0 ? '+' : change < 0 ? '−' : '±'}${rounded.replace('-', '')} points`;
}

export function decimals(value: number | null | undefined): string {
  return value == null ? '–' : value.toFixed(3);
}

/** At most three significant digits. */
export function short(value: number): string {
  const rounded = Number(value.toPrecision(3));
  return rounded !== 0 && Math.abs(rounded) < 0.001 ? rounded.toExponential() : String(rounded);
}
