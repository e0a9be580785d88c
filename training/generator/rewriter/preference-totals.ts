import type { PreferenceFigures } from '../contract.ts';

/** Sums over pairs. */
export class PreferenceTotals {
  #pairs = 0;
  #loss = 0;
  #won = 0;
  #margin = 0;
  #drift = 0;

  /** A batch: `logs` and `reference` are by side, chosen and rejected by turns. */
  add(loss: number, margin: Float32Array, logs: Float64Array, reference: Float64Array): void {
    this.#pairs += margin.length;
    this.#loss += loss * margin.length;
    for (const value of margin) {
      this.#margin += value;
      if (value > 0) this.#won++;
    }
    for (const [t, log] of logs.entries()) this.#drift += (log - reference[t]!) / 2;
  }

  mean(): PreferenceFigures {
    const pairs = Math.max(1, this.#pairs);
    return {
      pairs: this.#pairs,
      loss: this.#loss / pairs,
      accuracy: this.#won / pairs,
      margin: this.#margin / pairs,
      drift: this.#drift / pairs,
    };
  }
}
