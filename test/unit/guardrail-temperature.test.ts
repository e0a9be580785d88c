import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fitTemperature, type ScoredRows } from '../../training/guardrail/temperature.ts';
import { gaussian, seededRandom } from '../../training/random.ts';

/** Rows that are unsafe as often as their margin over `temperature` says. */
function rowsOf(temperature: number, count = 20_000): ScoredRows {
  const random = seededRandom(1);
  const margins = Float64Array.from({ length: count }, () => 3 * gaussian(random));
  const unsafe = Uint8Array.from(margins, (margin) => (random() < 1 / (1 + Math.exp(-margin / temperature)) ? 1 : 0));
  return { margins, unsafe, weights: new Float32Array(count).fill(1) };
}

describe('the temperature', () => {
  it.each([1, 1.6, 2.5])('%s is found again in rows that it made', (temperature) => {
    expect(Math.log(fitTemperature(rowsOf(temperature)) / temperature)).toBeCloseTo(0, 1);
  });

  it('scales with the margins', () => {
    const rows = rowsOf(4, 2000);
    fc.assert(
      fc.property(fc.double({ min: 0.5, max: 2.5, noNaN: true }), (factor) => {
        const scaled = { ...rows, margins: rows.margins.map((margin) => factor * margin) };
        expect(fitTemperature(scaled) / fitTemperature(rows)).toBeCloseTo(factor, 5);
      }),
    );
  });

  it('counts rows by their weight: none is as good as absent', () => {
    const rows = rowsOf(3, 500);
    const half = { ...rows, weights: rows.weights.map((_, row) => row % 2) };
    const kept = <T extends Float64Array | Uint8Array | Float32Array>(values: T) =>
      values.filter((_: number, row: number) => row % 2 === 1) as T;
    const odd = { margins: kept(rows.margins), unsafe: kept(rows.unsafe), weights: kept(rows.weights) };
    expect(fitTemperature(half)).toBeCloseTo(fitTemperature(odd), 9);
  });

  it('stays in its range when rows are told apart without a mistake, or not at all', () => {
    const weights = new Float32Array(2).fill(1);
    const margins = Float64Array.of(-1, 1);
    expect(fitTemperature({ margins, unsafe: Uint8Array.of(0, 1), weights })).toBeCloseTo(1, 6);
    expect(fitTemperature({ margins, unsafe: Uint8Array.of(1, 0), weights })).toBeCloseTo(16, 4);
  });
});
