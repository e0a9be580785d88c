import type { EncodedSpace, FeatureList } from './encoded-space.ts';
import { addRow, featureVectors } from './feature-vectors.ts';
import { COUNTS, History } from './history.ts';
import type { Policy } from './policy.ts';
import { PARAMETERS } from './policy-graph.ts';

/** What a draw is made of. */
export interface Draw {
  readonly choices: number[];
  /** log p at temperature 1 and without guidance, in nats. */
  readonly logProbability: number;
}

export interface DrawOptions {
  /** Divides the logits; 0 takes the likeliest option. */
  readonly temperature: number;
  /** Gamma of classifier-free guidance; 0 for none. */
  readonly guidance: number;
  /** What is seen of the space while drawing, instead of what is there. */
  readonly misled?: EncodedSpace | undefined;
}

/** Draws one candidate whose first choices are given; `random` gives [0, 1). */
export type DrawCandidate = (random: () => number, prefix?: readonly number[]) => Draw;

/** Numbers of the context's parts, in the order of `CONTEXT_PARTS`. */
const PART = { word: 0, before: 1, after: 2, seed: 3, condition: 4, last: 5, lastButOne: 6, whole: 7 } as const;

/**
 * Draws candidates in plain JavaScript, one decision after another, with the formula of `policy-graph.ts`; a test holds
 * the two together. What doesn't depend on earlier choices is computed once for all candidates of a space. A sampler
 * belongs to the policy as it is when it is made.
 */
export class Sampler {
  readonly #hidden: number;
  readonly #width: number;
  readonly #weights: ReadonlyMap<string, Float32Array>;
  readonly #vectors: Float32Array;
  /** By feature of an edit: what it adds to the hidden layer as the last edit, as the one before, and as the text's. */
  readonly #edits = new Map<number, readonly [Float32Array, Float32Array, Float32Array]>();

  /** `features`: of every space that will be drawn from. */
  constructor(policy: Policy, features: FeatureList) {
    this.#hidden = policy.config.hidden;
    this.#width = policy.config.embedding;
    this.#weights = policy.parameters.byName();
    this.#vectors = featureVectors(
      policy.table,
      features,
      Array.from({ length: features.length }, (_, feature) => feature),
    ).vectors;
  }

  prepare(space: EncodedSpace, { temperature, guidance, misled }: DrawOptions): DrawCandidate {
    const conditioned = this.#fixedPart(space, false);
    const seen = misled && this.#fixedPart(misled, false);
    const unconditioned = guidance > 0 ? this.#fixedPart(space, true) : undefined;
    return (random, prefix = []) => {
      const history = new History();
      const choices: number[] = [];
      let logProbability = 0;
      for (let s = 0; s < space.slots; s++) {
        const first = space.first[s]!;
        let choice = prefix[s];
        if (space.first[s + 1]! - first > 1) {
          const logs = this.#logs(space, s, history, conditioned);
          if (choice === undefined) {
            const drawn = misled && seen ? this.#logs(misled, s, history, seen) : logs;
            const guided = unconditioned && guide(drawn, this.#logs(space, s, history, unconditioned), guidance);
            choice = pick(guided ?? drawn, temperature, random);
          }
          logProbability += logs[choice]!;
        }
        choice ??= 0;
        choices.push(choice);
        history.advance(space, s, first + choice);
      }
      return { choices, logProbability };
    };
  }

  /** [slots, H]: the hidden layer before its activation, without what depends on the history. */
  #fixedPart(space: EncodedSpace, masked: boolean): Float32Array {
    const hidden = this.#hidden;
    const shared = this.#weight(PARAMETERS.bias).slice();
    this.#project(shared, 0, this.#vectors, space.condition, PART.condition);
    const words = space.word.filter((feature) => feature >= 0);
    if (!masked) {
      const seed = new Float32Array(this.#width);
      for (const word of words) addRow(seed, 0, this.#vectors, word, this.#width, 1 / Math.sqrt(words.length));
      this.#project(shared, 0, seed, 0, PART.seed);
    }
    const out = new Float32Array(space.slots * hidden);
    for (let s = 0; s < space.slots; s++) {
      out.set(shared, s * hidden);
      if (masked) continue;
      this.#project(out, s, this.#vectors, space.word[s]!, PART.word);
      this.#project(out, s, this.#vectors, space.before[s]!, PART.before);
      this.#project(out, s, this.#vectors, space.after[s]!, PART.after);
    }
    return out;
  }

  /** log p of each option of a slot. */
  #logs(space: EncodedSpace, slot: number, history: History, fixed: Float32Array): Float64Array {
    const query = this.#query(space, slot, history, fixed);
    const width = this.#width;
    const share = this.#weight(PARAMETERS.share)[0]!;
    const first = space.first[slot]!;
    const logits = new Float64Array(space.first[slot + 1]! - first);
    for (let i = 0; i < logits.length; i++) {
      const o = first + i;
      const text = space.text[o]! * width;
      const edit = space.edit[o]! * width;
      let logit = space.prior[o]! + share * space.logShare[o]!;
      for (let e = 0; e < width; e++) {
        logit += query[e]! * this.#vectors[text + e]! + query[width + e]! * this.#vectors[edit + e]!;
      }
      logits[i] = logit;
    }
    return logSoftmax(logits);
  }

  /** [2E] */
  #query(space: EncodedSpace, slot: number, history: History, fixed: Float32Array): Float32Array {
    const hidden = this.#hidden;
    const h = fixed.slice(slot * hidden, (slot + 1) * hidden);
    if (history.last >= 0) addRow(h, 0, this.#edit(history.last)[0], 0, hidden);
    if (history.lastButOne >= 0) addRow(h, 0, this.#edit(history.lastButOne)[1], 0, hidden);
    for (const edit of history.whole) addRow(h, 0, this.#edit(edit)[2], 0, hidden);
    const counts = new Float32Array(COUNTS);
    history.writeCounts(counts, 0, space, slot);
    multiplyAdd(h, counts, this.#weight(PARAMETERS.counts));
    for (let i = 0; i < hidden; i++) h[i] = gelu(h[i]!);
    const query = this.#weight(PARAMETERS.queryBias).slice();
    multiplyAdd(query, h, this.#weight(PARAMETERS.query));
    return query;
  }

  #edit(feature: number): readonly [Float32Array, Float32Array, Float32Array] {
    const known = this.#edits.get(feature);
    if (known) return known;
    const parts = [PART.last, PART.lastButOne, PART.whole].map((part) => {
      const out = new Float32Array(this.#hidden);
      this.#project(out, 0, this.#vectors, feature, part);
      return out;
    }) as unknown as readonly [Float32Array, Float32Array, Float32Array];
    this.#edits.set(feature, parts);
    return parts;
  }

  /** out[row] += vectors[feature] · the context weights of a part; nothing for no feature. */
  #project(out: Float32Array, row: number, vectors: Float32Array, feature: number, part: number): void {
    if (feature < 0) return;
    const width = this.#width;
    const hidden = this.#hidden;
    const block = width * hidden;
    const weights = this.#weight(PARAMETERS.context).subarray(part * block, (part + 1) * block);
    multiplyAdd(
      out.subarray(row * hidden, (row + 1) * hidden),
      vectors.subarray(feature * width, (feature + 1) * width),
      weights,
    );
  }

  #weight(name: string): Float32Array {
    return this.#weights.get(name) as Float32Array;
  }
}

/** out [J] += x [I] · weights [I, J] */
function multiplyAdd(out: Float32Array, x: Float32Array, weights: Float32Array): void {
  const width = out.length;
  for (let i = 0; i < x.length; i++) {
    const value = x[i]!;
    const from = i * width;
    for (let j = 0; j < width; j++) out[j]! += value * weights[from + j]!;
  }
}

/** x Φ(x), Φ by Abramowitz and Stegun, Handbook of Mathematical Functions, 7.1.26: off by at most 2e-7. */
function gelu(x: number): number {
  const z = Math.abs(x) * Math.SQRT1_2;
  const t = 1 / (1 + 0.3275911 * z);
  const series = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))));
  const tail = 0.5 * series * Math.exp(-z * z);
  return x * (x > 0 ? 1 - tail : tail);
}

function logSoftmax(logits: Float64Array): Float64Array {
  const most = logits.reduce((a, b) => Math.max(a, b));
  const total = logits.reduce((sum, logit) => sum + Math.exp(logit - most), 0);
  return logits.map((logit) => logit - most - Math.log(total));
}

/** log_softmax(γ (log p_conditioned - log p_unconditioned) + log p_unconditioned) (MARINE, arXiv 2402.08680). */
function guide(conditioned: Float64Array, unconditioned: Float64Array, gamma: number): Float64Array {
  return logSoftmax(conditioned.map((log, i) => gamma * (log - unconditioned[i]!) + unconditioned[i]!));
}

/** An index, drawn with p to the power 1 / temperature. */
function pick(logs: Float64Array, temperature: number, random: () => number): number {
  const point = random();
  const most = logs.reduce((a, b) => Math.max(a, b));
  if (temperature === 0) return logs.indexOf(most);
  const weights = logs.map((log) => Math.exp((log - most) / temperature));
  let left = point * weights.reduce((a, b) => a + b);
  for (let i = 0; i < weights.length; i++) {
    left -= weights[i]!;
    if (left < 0) return i;
  }
  return logs.indexOf(most);
}
