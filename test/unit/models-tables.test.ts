import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Graph } from '../../training/graph/graph.ts';
import { cast } from '../../training/graph/ops.ts';
import { type Composition, composeTokens } from '../../training/models/character-ngrams.ts';
import { EmbeddingTable } from '../../training/models/embedding-table.ts';
import { ngramBuckets, ngramBucketsGraph } from '../../training/models/ngram-hash.ts';
import { seededRandom } from '../../training/random.ts';
import { BYTE_CHARACTERS } from '../../training/tokenizer/template.ts';
import { evaluateGraph } from '../support/evaluate-graph.ts';
import { moments } from '../support/moments.ts';

describe('hashed n-grams', () => {
  it('are what the formula gives, worked out with whole numbers of any size', () => {
    const ids = [5, 65_535, 17, 9];
    const buckets = 1 << 20;
    const actual = ngramBuckets(ids, { orders: [2, 4], buckets });
    for (const [t, id] of ids.entries()) {
      let hash = BigInt(id);
      for (let n = 2; n <= 4; n++) {
        hash = (hash * 36_313n + BigInt(ids[t - n + 1] ?? 0) + 1n) % BigInt(buckets);
        if (n !== 3) expect(actual[t * 2 + (n === 2 ? 0 : 1)]).toBe(Number(hash));
      }
    }
  });

  it('are the same in the graph', async () => {
    const text = fc.array(fc.nat(65_535), { minLength: 1, maxLength: 9 });
    const orders = fc.subarray([2, 3, 4], { minLength: 1 });
    await fc.assert(
      fc.asyncProperty(
        fc.array(text, { minLength: 1, maxLength: 3 }),
        orders,
        fc.integer({ min: 1, max: 1 << 22 }),
        async (texts, lengths, buckets) => {
          const hash = { orders: lengths, buckets };
          const longest = Math.max(...texts.map((ids) => ids.length));
          const ids = Int32Array.from(
            texts.flatMap((row) => [...row, ...new Array<number>(longest - row.length).fill(0)]),
          );
          const graph = new Graph();
          const tensors = ngramBucketsGraph(graph, graph.input('ids', 'int32', ['B', 'T']), hash);
          expect(tensors).toHaveLength(lengths.length);
          const outputs = Object.fromEntries(tensors.map((tensor, j) => [`order${j}`, cast(tensor, 'int32')]));
          const result = await evaluateGraph(graph, outputs, { ids: [ids, [texts.length, longest]] });
          for (const [b, row] of texts.entries()) {
            const expected = ngramBuckets(row, hash);
            for (const t of row.keys())
              for (const j of lengths.keys())
                expect(result[`order${j}`]?.data[b * longest + t]).toBe(expected[t * lengths.length + j]);
          }
        },
      ),
      { numRuns: 25 },
    );
  });
});

const ROWS = 6;
const EXTRA = 4;
const WIDTH = 3;
/** Row 0 has no extra rows, row 3 the same one twice, rows 1 and 5 share one. */
const EXTRAS: readonly (readonly number[])[] = [[], [6, 8], [9], [7, 7, 9], [], [8]];
const COMPOSED: Composition = {
  offsets: Int32Array.from([0, 0, 2, 3, 6, 6, 7]),
  rows: Int32Array.from(EXTRAS.flat()),
};

function filledTable(composition?: Composition): EmbeddingTable {
  const table = new EmbeddingTable(ROWS, WIDTH, EXTRA, composition);
  table.initialise(seededRandom(3), 1, 0, ROWS + EXTRA);
  return table;
}

/** How much of each stored row the vector of `row` holds. */
function shares(row: number, composition: Composition | undefined): readonly (readonly [number, number])[] {
  const extras = composition === undefined ? [] : (EXTRAS[row] as readonly number[]);
  return [[row, 1], ...extras.map((extra) => [extra, 1 / extras.length] as const)];
}

describe.each([
  ['plain', undefined],
  ['composed', COMPOSED],
] as const)('a %s embedding table', (_, composition) => {
  const k = 2;
  const index = fc.integer({ min: -1, max: ROWS - 1 });
  const indexLists = fc.array(fc.tuple(index, index), { maxLength: 6 }).map((pairs) => Int32Array.from(pairs.flat()));

  it('looks up the sum of the rows of each position', () => {
    const table = filledTable(composition);
    fc.assert(
      fc.property(indexLists, (indices) => {
        const out = new Float32Array((indices.length / k) * WIDTH).fill(7);
        table.lookup(indices, k, out);
        for (let n = 0; n < indices.length / k; n++) {
          for (let i = 0; i < WIDTH; i++) {
            let expected = 0;
            for (const row of indices.subarray(n * k, (n + 1) * k))
              if (row >= 0)
                for (const [from, share] of shares(row, composition))
                  expected += share * (table.values[from * WIDTH + i] as number);
            expect(out[n * WIDTH + i]).toBeCloseTo(expected, 5);
          }
        }
      }),
    );
  });

  it('gives each stored row the gradient of what was read of it, over all parts', () => {
    const table = filledTable(composition);
    fc.assert(
      fc.property(fc.array(indexLists, { maxLength: 3 }), fc.nat(1000), (lists, seed) => {
        const random = seededRandom(seed);
        const parts = lists.map((indices) => ({
          indices,
          dOut: Float32Array.from({ length: (indices.length / k) * WIDTH }, () => 2 * random() - 1),
        }));
        const expected = new Map<number, number[]>();
        for (const { indices, dOut } of parts) {
          for (const [at, row] of indices.entries()) {
            if (row < 0) continue;
            const n = Math.floor(at / k);
            for (const [to, share] of shares(row, composition)) {
              const sum = expected.get(to) ?? [0, 0, 0];
              expected.set(
                to,
                sum.map((value, i) => value + share * (dOut[n * WIDTH + i] as number)),
              );
            }
          }
        }
        const { rows, gradients } = table.gradient(parts, k);
        expect([...rows].sort((a, b) => a - b)).toEqual([...expected.keys()].sort((a, b) => a - b));
        for (const [p, row] of rows.entries())
          for (let i = 0; i < WIDTH; i++)
            expect(gradients[p * WIDTH + i]).toBeCloseTo(expected.get(row)?.[i] as number, 5);
      }),
    );
  });

  it('changes the rows it read, and no other to the bit', () => {
    const table = filledTable(composition);
    const before = table.values.slice();
    const read = [1, 3, 3, -1];
    const part = { indices: Int32Array.from(read), dOut: Float32Array.of(1, 2, 3, 4, 5, 6) };
    const config = { beta1: 0.9, beta2: 0.99, epsilon: 1e-8, weightDecay: 0.5 };
    table.apply(config, table.gradient([part], k), 0.1);
    const touched = new Set([1, 3].flatMap((row) => shares(row, composition).map(([stored]) => stored)));
    for (let row = 0; row < ROWS + EXTRA; row++)
      for (let i = row * WIDTH; i < (row + 1) * WIDTH; i++) {
        expect(table.values[i] !== before[i]).toBe(touched.has(row));
        expect(moments(table.optimizer).mean[i] !== 0).toBe(touched.has(row));
      }
  });

  it('writes out exactly what a lookup of one row reads', () => {
    const table = filledTable(composition);
    const out = new Float32Array(ROWS * WIDTH);
    table.lookup(
      Int32Array.from({ length: ROWS }, (_unused, row) => row),
      1,
      out,
    );
    expect(table.composed()).toEqual(out);
  });
});

describe('character n-grams of tokens', () => {
  const byteLevel = (text: string) =>
    Array.from(new TextEncoder().encode(text), (byte) => BYTE_CHARACTERS[byte]).join('');
  const ngrams = { buckets: 100_003, shortest: 3, longest: 4 };
  const rowsOf = (...tokens: readonly (string | undefined)[]): number[][] => {
    const { offsets, rows } = composeTokens(tokens, ngrams, 50);
    expect(offsets).toHaveLength(tokens.length + 1);
    expect(offsets.at(-1)).toBe(rows.length);
    return tokens.map((_, id) => [...rows.subarray(offsets[id], offsets[id + 1])]);
  };

  it('are all runs of the lengths asked for, numbered from the first row', () => {
    const [rows] = rowsOf(byteLevel('killer'));
    // kil ill lle ler, kill ille ller
    expect(rows).toHaveLength(7);
    expect(new Set(rows).size).toBe(7);
    expect(rows?.every((row) => row >= 50 && row < 50 + ngrams.buckets)).toBe(true);
  });

  it('are shared by words with a common stem, not by others', () => {
    const [kill, killer, lemon] = rowsOf(byteLevel('kill'), byteLevel('killer'), byteLevel('lemon'));
    expect(killer).toEqual(expect.arrayContaining(kill as number[]));
    expect(lemon?.some((row) => killer?.includes(row))).toBe(false);
  });

  it('do not see accents', () => {
    const [accented, plain, decomposed] = rowsOf(
      byteLevel('sécurité'),
      byteLevel('securite'),
      byteLevel('se\u0301curite\u0301'),
    );
    expect(accented).toEqual(plain);
    expect(decomposed).toEqual(plain);
    expect(plain?.length).toBeGreaterThan(0);
  });

  it('tell the beginning of a word from its middle', () => {
    const [inside, beginning] = rowsOf(byteLevel('kill'), byteLevel(' kill'));
    expect(beginning).toEqual(expect.arrayContaining(inside as number[]));
    expect(beginning?.length).toBeGreaterThan(inside?.length as number);
  });

  it('are none for special tokens, short tokens and parts of a character', () => {
    const half = BYTE_CHARACTERS[0xe2] as string;
    expect(rowsOf(undefined, byteLevel('ab'), `abc${half}`)).toEqual([[], [], []]);
  });

  it('are none where they are turned off', () => {
    expect(composeTokens([byteLevel('killer')], { ...ngrams, buckets: 0 }, 50).rows).toHaveLength(0);
  });
});
