import { derivedSeed, seededRandom, shuffle } from '../random.ts';
import type { GameRow } from './contract.ts';
import { GameError } from './game-error.ts';

export interface DrawOptions {
  /** Most rows. */
  readonly rows: number;
  /** Relative shares of the languages. */
  readonly shares: Readonly<Record<string, number>>;
  readonly unsafeShare: number;
  readonly sizeExponent: number;
  readonly seed: number;
}

/**
 * Draws rows so that languages and labels have their shares exactly: as many in all as the scarcest part allows. Within a
 * part each source gives according to its size to the power `sizeExponent`. Throws where a part has no rows at all.
 */
export function drawRows(rows: readonly GameRow[], options: DrawOptions): readonly GameRow[] {
  const parts = partsOf(options).map((part) => ({
    ...part,
    rows: rows.filter((row) => row.lang === part.lang && row.unsafe === part.unsafe),
  }));
  for (const part of parts) {
    if (part.rows.length > 0) continue;
    throw new GameError(`the data has no ${part.unsafe ? 'unsafe' : 'safe'} rows in ${part.lang}`);
  }
  const total = Math.min(options.rows, ...parts.map((part) => part.rows.length / part.share));
  const drawn = parts.flatMap((part) => drawPart(part.rows, Math.max(1, Math.floor(total * part.share)), options));
  return shuffle(drawn, seededRandom(derivedSeed(options.seed, 'order of rows')));
}

function partsOf({ shares, unsafeShare }: DrawOptions) {
  const whole = Object.values(shares).reduce((sum, share) => sum + share, 0);
  return Object.entries(shares).flatMap(([lang, share]) => [
    { lang, unsafe: true, share: (share / whole) * unsafeShare },
    { lang, unsafe: false, share: (share / whole) * (1 - unsafeShare) },
  ]);
}

function drawPart(rows: readonly GameRow[], count: number, { sizeExponent, seed }: DrawOptions): GameRow[] {
  const sources = new Map<string, GameRow[]>();
  for (const row of rows) {
    const own = sources.get(row.source);
    if (own) own.push(row);
    else sources.set(row.source, [row]);
  }
  const quotas = sourceQuotas(
    [...sources.values()].map(({ length }) => length),
    count,
    sizeExponent,
  );
  return [...sources].flatMap(([source, own], index) => {
    const random = seededRandom(derivedSeed(seed, `${source}/${own[0]!.lang}/${own[0]!.unsafe}`));
    return shuffle([...own], random).slice(0, quotas[index]);
  });
}

/** Parts of `count` in proportion to size^exponent, none above its size; what one cannot give the others do. */
export function sourceQuotas(sizes: readonly number[], count: number, exponent: number): readonly number[] {
  const quotas = sizes.map(() => 0);
  for (
    let left = Math.min(
      count,
      sizes.reduce((a, b) => a + b, 0),
    );
    left > 0;
  ) {
    const open = sizes.flatMap((size, index) => (quotas[index]! < size ? [index] : []));
    const mass = open.reduce((sum, index) => sum + sizes[index]! ** exponent, 0);
    const wanted = left;
    for (const index of open) {
      const fair = Math.max(1, Math.floor((wanted * sizes[index]! ** exponent) / mass));
      const given = Math.min(fair, sizes[index]! - quotas[index]!, left);
      quotas[index]! += given;
      left -= given;
    }
  }
  return quotas;
}
