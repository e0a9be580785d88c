/**
 * xoshiro128** (Blackman and Vigna, arXiv 1805.01407) seeded by splitmix32: uniform in [0, 1) with 32 bits. Seeded
 * everywhere, so that a run can be repeated; `state` is what a resumed run continues from.
 */
export interface Random {
  (): number;
  readonly state: Uint32Array;
}

export function seededRandom(seed: number, state: Uint32Array = expandSeed(seed)): Random {
  const s = Uint32Array.from(state);
  const next = (): number => {
    const [s0, s1, s2, s3] = s as unknown as readonly [number, number, number, number];
    const product = Math.imul(s1, 5);
    const result = Math.imul((product << 7) | (product >>> 25), 9) >>> 0;
    const t2 = s2 ^ s0;
    const t3 = s3 ^ s1;
    s[1] = s1 ^ t2;
    s[0] = s0 ^ t3;
    s[2] = t2 ^ (s1 << 9);
    s[3] = (t3 << 11) | (t3 >>> 21);
    return result / 2 ** 32;
  };
  return Object.assign(next, { state: s });
}

function expandSeed(seed: number): Uint32Array {
  let z = seed >>> 0;
  return Uint32Array.from({ length: 4 }, () => {
    z = (z + 0x9e3779b9) >>> 0;
    let x = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
    x = Math.imul(x ^ (x >>> 15), 0x735a2d97);
    return (x ^ (x >>> 15)) >>> 0;
  });
}

/** Independent stream for a named purpose, so that one part drawing more does not shift another. */
export function derivedSeed(seed: number, purpose: string): number {
  let hash = (seed ^ 0x811c9dc5) >>> 0;
  for (let i = 0; i < purpose.length; i++) hash = Math.imul(hash ^ purpose.charCodeAt(i), 0x01000193) >>> 0;
  return hash;
}

/** Standard normal by Box and Muller. */
export function gaussian(random: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}

/** Fisher and Yates, in place. */
export function shuffle<T extends { length: number; [index: number]: unknown }>(items: T, random: () => number): T {
  for (let i = items.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    const kept = items[i];
    items[i] = items[j];
    items[j] = kept;
  }
  return items;
}
