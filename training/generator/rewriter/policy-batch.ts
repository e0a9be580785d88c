import type { Feeds } from '../../graph/session.ts';
import { toTensor } from '../../graph/session.ts';
import type { EmbeddingTable, LookupGradient } from '../../models/embedding-table.ts';
import { decisionsOf, type EncodedSpace, type FeatureList } from './encoded-space.ts';
import { addRow, featureVectors, scaleRows } from './feature-vectors.ts';
import { COUNTS, History } from './history.ts';
import { ABSENT, CONTEXT_PARTS } from './policy-graph.ts';

/** A candidate as the policy sees it: its choices, forced one after another. */
export interface Trace {
  readonly space: EncodedSpace;
  readonly choices: readonly number[];
  /** The seed's words are hidden, as in the unconditioned side of classifier-free guidance. */
  readonly masked?: boolean;
  /** By option of the space: weight in its decision's log-likelihood. Absent: 1 for the chosen options. */
  readonly targets?: Float32Array;
}

/** Slots with one option are no decisions and take no row: their log p is 0 whatever the policy. */
export interface PolicyBatch {
  /** Inputs of the policy graph that the traces determine. */
  readonly feeds: Feeds;
  /** By decision: number of its trace. */
  readonly traceOf: Int32Array;
  readonly context: readonly [decisions: number, width: number];
  readonly options: readonly [decisions: number, options: number, width: number];
  /** Adds up the gradients of `context` and `options` by feature. */
  gradient(dContext: Float32Array, dOptions: Float32Array): LookupGradient;
}

/** A vector made of several features' vectors: Σ member * factor. */
interface Composite {
  readonly members: readonly number[];
  readonly factor: number;
}

const NONE = -1;

export function assembleBatch(traces: readonly Trace[], features: FeatureList, table: EmbeddingTable): PolicyBatch {
  const width = table.width;
  const decisions = traces.reduce((sum, { space }) => sum + decisionsOf(space), 0);
  const longest = traces.reduce((most, { space }) => Math.max(most, longestSlot(space)), 2);
  const places = new Places();
  // Places in the list of vectors; composites are counted from -2 downwards until the number of features is known.
  const contextPlace = new Int32Array(decisions * CONTEXT_PARTS).fill(NONE);
  const optionPlace = new Int32Array(decisions * longest * 2).fill(NONE);
  const counts = new Float32Array(decisions * COUNTS);
  const prior = new Float32Array(decisions * longest).fill(ABSENT);
  const logShare = new Float32Array(decisions * longest);
  const chosen = new Float32Array(decisions * longest);
  const traceOf = new Int32Array(decisions);

  let n = 0;
  for (const [t, { space, choices, masked = false, targets }] of traces.entries()) {
    const history = new History();
    const condition = places.of(space.condition);
    const seed = masked ? NONE : places.seed(space);
    let whole = NONE;
    for (let s = 0; s < space.slots; s++) {
      const first = space.first[s]!;
      const end = space.first[s + 1]!;
      const choice = first + choices[s]!;
      if (end - first > 1) {
        traceOf[n] = t;
        const words = masked ? [] : [space.word[s]!, space.before[s]!, space.after[s]!];
        for (const [part, feature] of words.entries()) contextPlace[n * CONTEXT_PARTS + part] = places.of(feature);
        const rest = [seed, condition, places.of(history.last), places.of(history.lastButOne), whole];
        contextPlace.set(rest, n * CONTEXT_PARTS + 3);
        history.writeCounts(counts, n * COUNTS, space, s);
        for (let o = first; o < end; o++) {
          const at = n * longest + o - first;
          optionPlace[2 * at] = places.of(space.text[o]!);
          optionPlace[2 * at + 1] = places.of(space.edit[o]!);
          prior[at] = space.prior[o]!;
          logShare[at] = space.logShare[o]!;
          chosen[at] = targets === undefined ? Number(o === choice) : targets[o]!;
        }
        n++;
      }
      history.advance(space, s, choice);
      if (space.word[s]! < 0) whole = places.composite(history.whole, 1);
    }
  }

  const { listed, composites } = places;
  const looked = featureVectors(table, features, listed);
  const vectors = new Float32Array((listed.length + composites.length) * width);
  vectors.set(looked.vectors);
  for (const [c, { members, factor }] of composites.entries()) {
    for (const member of members) addRow(vectors, listed.length + c, vectors, member, width, factor);
  }
  const resolve = (place: number): number => (place < NONE ? listed.length - 2 - place : place);
  const contextRows = contextPlace.map(resolve);
  const context: PolicyBatch['context'] = [decisions, CONTEXT_PARTS * width];
  const options: PolicyBatch['options'] = [decisions, longest, 2 * width];
  const table2d = [decisions, longest];
  return {
    feeds: {
      context: toTensor(spread(vectors, contextRows, width), context),
      counts: toTensor(counts, [decisions, COUNTS]),
      options: toTensor(spread(vectors, optionPlace, width), options),
      log_share: toTensor(logShare, table2d),
      prior: toTensor(prior, table2d),
      chosen: toTensor(chosen, table2d),
    },
    traceOf,
    context,
    options,
    gradient(dContext, dOptions) {
      const sums = new Float32Array(vectors.length);
      collect(sums, contextRows, dContext, width);
      collect(sums, optionPlace, dOptions, width);
      for (const [c, { members, factor }] of composites.entries()) {
        for (const member of members) addRow(sums, member, sums, listed.length + c, width, factor);
      }
      const dOut = sums.subarray(0, listed.length * width);
      scaleRows(dOut, looked.scale, width);
      return { indices: looked.indices, dOut };
    },
  };
}

/** Numbers the features that a batch reads. */
class Places {
  readonly listed: number[] = [];
  readonly composites: Composite[] = [];
  readonly #place = new Map<number, number>();
  readonly #seeds = new Map<EncodedSpace, number>();

  of(feature: number): number {
    if (feature < 0) return NONE;
    const known = this.#place.get(feature);
    if (known !== undefined) return known;
    const place = this.listed.push(feature) - 1;
    this.#place.set(feature, place);
    return place;
  }

  /** Sum of the seed's words over the root of their number. */
  seed(space: EncodedSpace): number {
    const known = this.#seeds.get(space);
    if (known !== undefined) return known;
    const words = space.word.filter((feature) => feature >= 0);
    const place = this.composite(words, 1 / Math.sqrt(Math.max(1, words.length)));
    this.#seeds.set(space, place);
    return place;
  }

  composite(features: Iterable<number>, factor: number): number {
    const members = Array.from(features, (feature) => this.of(feature));
    return -1 - this.composites.push({ members, factor });
  }
}

function longestSlot({ slots, first }: EncodedSpace): number {
  let longest = 0;
  for (let s = 0; s < slots; s++) longest = Math.max(longest, first[s + 1]! - first[s]!);
  return longest;
}

/** Copies of the named rows, zeros for none. */
function spread(vectors: Float32Array, rows: Int32Array, width: number): Float32Array {
  const out = new Float32Array(rows.length * width);
  for (let i = 0; i < rows.length; i++) if (rows[i]! >= 0) addRow(out, i, vectors, rows[i]!, width);
  return out;
}

/** The reverse of `spread`. */
function collect(sums: Float32Array, rows: Int32Array, gradient: Float32Array, width: number): void {
  for (let i = 0; i < rows.length; i++) if (rows[i]! >= 0) addRow(sums, rows[i]!, gradient, i, width);
}
