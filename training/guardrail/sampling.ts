import { derivedSeed, seededRandom, shuffle } from '../random.ts';

/** Rows that are drawn alike: one source, language and label, all of them translated or none. */
export interface SampleGroup {
  readonly source: string;
  readonly lang: string;
  readonly unsafe: boolean;
  readonly translated: boolean;
  /** Row numbers. */
  readonly rows: Int32Array;
}

export interface BalanceConfig {
  /** Exponent on a group's size: 1 draws rows alike, 0 draws groups alike; between them small groups are drawn more often. */
  readonly sizeExponent: number;
  /** Share of unsafe rows in what is drawn. */
  readonly unsafeShare: number;
  /** Factor per source; 1 where none is named, 0 leaves a source out. */
  readonly sourceWeights: Readonly<Record<string, number>>;
  /** Factor per language; 1 where none is named. */
  readonly languageWeights: Readonly<Record<string, number>>;
  /** Factor on translated rows. */
  readonly translatedWeight: number;
}

/** How many rows each group gives to one pass of about `total` rows, in the groups' order. */
export function groupQuotas(groups: readonly SampleGroup[], total: number, balance: BalanceConfig): readonly number[] {
  const weights = groups.map(
    ({ source, lang, translated, rows }) =>
      rows.length ** balance.sizeExponent *
      (balance.sourceWeights[source] ?? 1) *
      (balance.languageWeights[lang] ?? 1) *
      (translated ? balance.translatedWeight : 1),
  );
  const mass = (unsafe: boolean): number =>
    groups.reduce((sum, group, index) => sum + (group.unsafe === unsafe ? (weights[index] as number) : 0), 0);
  const [safeMass, unsafeMass] = [mass(false), mass(true)];
  if (safeMass === 0 || unsafeMass === 0) throw new RangeError('both safe and unsafe rows are needed to train');
  return groups.map(({ unsafe }, index) => {
    const share = unsafe ? balance.unsafeShare / unsafeMass : (1 - balance.unsafeShare) / safeMass;
    return Math.round(total * share * (weights[index] as number));
  });
}

/**
 * Row numbers of pass `epoch`. Each group is walked through in shuffled rounds, continuing where the pass before
 * stopped, so no row comes twice before all of its group came once. A pure function of its arguments: a resumed run
 * needs no sampler state.
 */
export function epochRows(
  groups: readonly SampleGroup[],
  quotas: readonly number[],
  epoch: number,
  seed: number,
): Int32Array {
  const picked: number[] = [];
  for (const [index, { source, lang, unsafe, translated, rows }] of groups.entries()) {
    const quota = quotas[index] as number;
    const key = `${source}/${lang}/${unsafe}${translated ? '/translated' : ''}`;
    let round = -1;
    let order = rows;
    for (let position = epoch * quota; position < (epoch + 1) * quota; position++) {
      const wanted = Math.floor(position / rows.length);
      if (wanted !== round) {
        round = wanted;
        order = shuffle(Int32Array.from(rows), seededRandom(derivedSeed(seed, `${key}/${round}`)));
      }
      picked.push(order[position % rows.length] as number);
    }
  }
  return Int32Array.from(picked);
}
