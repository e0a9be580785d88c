import { describe, expect, it } from 'vitest';
import { DuoguardError } from '../../src/errors.ts';
import { cacheScores } from '../../src/inference/cached-engine.ts';
import type { Engine, Sequence } from '../../src/inference/engine.ts';

const sequence = (...ids: number[]): Sequence => Int32Array.from(ids);
const { signal } = new AbortController();

/** Scores a sequence by its first id; 13 fails. */
function createCounted(size: number) {
  const ran: number[][] = [];
  const lookups: [number, number][] = [];
  let closed = 0;
  const engine: Engine = {
    async submit(sequences) {
      ran.push(...sequences.map((ids) => [...ids]));
      const scores = sequences.map((ids) =>
        ids[0] === 13 ? new DuoguardError('inference_failed') : Float32Array.of((ids[0] as number) / 8),
      );
      return { scores, queueMs: 1, inferenceMs: 2 };
    },
    stats: () => ({ queuedSequences: 3, queuedTokens: 4, workersReady: 1, workersBusy: 0 }),
    async close() {
      closed++;
    },
  };
  const cached = cacheScores(engine, { size, onLookup: (...counts) => lookups.push(counts) });
  return { cached, ran, lookups, closed: () => closed };
}

describe('remembered scores', () => {
  it('are not computed again, and stand in the order of the request', async () => {
    const { cached, ran, lookups } = createCounted(10);
    await cached.submit([sequence(1), sequence(2)], signal);
    const mixed = await cached.submit([sequence(3), sequence(2), sequence(4), sequence(1)], signal);
    expect(mixed.scores).toEqual([3, 2, 4, 1].map((id) => Float32Array.of(id / 8)));
    expect(mixed).toMatchObject({ queueMs: 1, inferenceMs: 2 });
    expect(ran).toEqual([[1], [2], [3], [4]]);
    expect(lookups).toEqual([
      [0, 2],
      [2, 2],
    ]);
    const known = await cached.submit([sequence(4)], signal);
    expect(known).toEqual({ scores: [Float32Array.of(0.5)], queueMs: 0, inferenceMs: 0 });
  });

  it('belong to the whole sequence', async () => {
    const { cached, ran } = createCounted(10);
    const long = sequence(1, 2, 3, 4);
    await cached.submit([long], signal);
    await cached.submit([sequence(1, 2, 3), sequence(1, 2, 3, 5), long.subarray(0, 2), sequence(1, 2, 3, 4)], signal);
    expect(ran).toEqual([
      [1, 2, 3, 4],
      [1, 2, 3],
      [1, 2, 3, 5],
      [1, 2],
    ]);
  });

  it('have a bound; what was asked for longest ago goes first', async () => {
    const { cached, ran } = createCounted(2);
    for (const id of [1, 2, 1, 3, 1, 2]) await cached.submit([sequence(id)], signal);
    expect(ran).toEqual([[1], [2], [3], [2]]);
  });

  it('do not include failures', async () => {
    const { cached, ran } = createCounted(10);
    for (let time = 0; time < 2; time++) {
      const { scores } = await cached.submit([sequence(13), sequence(1)], signal);
      expect(scores).toEqual([expect.objectContaining({ code: 'inference_failed' }), Float32Array.of(1 / 8)]);
    }
    expect(ran).toEqual([[13], [1], [13]]);
  });

  it('cannot be changed by who was given them', async () => {
    const { cached } = createCounted(10);
    for (let time = 0; time < 3; time++) {
      const [score] = (await cached.submit([sequence(4)], signal)).scores as Float32Array[];
      expect(score).toEqual(Float32Array.of(0.5));
      (score as Float32Array).fill(1);
    }
  });

  it('are not given to a request that is over', async () => {
    const { cached } = createCounted(10);
    await cached.submit([sequence(1)], signal);
    const reason = new DuoguardError('client_closed');
    await expect(cached.submit([sequence(1)], AbortSignal.abort(reason))).rejects.toBe(reason);
  });

  it('leave the rest of the engine as it is', async () => {
    const { cached, closed } = createCounted(10);
    expect(cached.stats()).toMatchObject({ queuedSequences: 3, queuedTokens: 4 });
    await cached.close();
    expect(closed()).toBe(1);
  });
});
