/** Spearman's: Pearson's of the ranks, ties sharing theirs. */
export function rankCorrelation(a: readonly number[], b: readonly number[]): number {
  return correlation(ranks(a), ranks(b));
}

function ranks(values: readonly number[]): number[] {
  const sorted = values.toSorted((x, y) => x - y);
  return values.map((value) => (sorted.indexOf(value) + sorted.lastIndexOf(value)) / 2);
}

function correlation(a: readonly number[], b: readonly number[]): number {
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const [meanA, meanB] = [mean(a), mean(b)];
  const products = (f: (x: number, y: number) => number) =>
    a.reduce((sum, x, i) => sum + f(x - meanA, (b[i] as number) - meanB), 0);
  return products((x, y) => x * y) / Math.sqrt(products((x) => x * x) * products((_, y) => y * y));
}
