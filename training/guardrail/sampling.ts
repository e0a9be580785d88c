import { derivedSeed, seededRandom, shuffle } from '../random.ts';

/** Whether somebody wrote a row or a machine made it of another one; `uncovered` is what the server's views make of a disguise. */
export type Origin = 'written' | 'translated' | 'disguised' | 'uncovered';

/** Rows that are drawn alike: one source, language, label and origin. */
export interface SampleGroup {
  readonly source: string;
  readonly lang: string;
  readonly unsafe: boolean;
  readonly origin: Origin;
  /** Row numbers. */
  readonly rows: Int32Array;
}

export interface BalanceConfig {
  /** Exponent on a group's size: 1 draws rows alike, 0 draws groups alike; between them small groups are drawn more often. */
  readonly sizeExponent: number;
  /** Share of unsafe rows in what is drawn. */
  readonly unsafeShare: number;
  /**
   * Whether that share holds over all rows or in each language that has both labels; otherwise a language whose rows are
   * mostly unsafe teaches that the language is.
   */
  readonly labels: 'overall' | 'per-language';
  /** Factor per source; 1 where none is named, 0 leaves a source out. */
  readonly sourceWeights: Readonly<Record<string, number>>;
  /** Factor per language; 1 where none is named. */
  readonly languageWeights: Readonly<Record<string, number>>;
  /** Factor on translated rows. */
  readonly translatedWeight: number;
  /** Factors on disguised rows. */
  readonly disguisedWeight: { readonly safe: number; readonly unsafe: number };
  /** Factor on what the views read in disguised rows. */
  readonly uncoveredWeight: number;
}

/** How many rows each group gives to one pass of about `total` rows, in the groups' order. */
export function groupQuotas(groups: readonly SampleGroup[], total: number, balance: BalanceConfig): readonly number[] {
  const factorOf = ({ origin, unsafe }: SampleGroup): number =>
    ({
      written: 1,
      translated: balance.translatedWeight,
      disguised: balance.disguisedWeight[unsafe ? 'unsafe' : 'safe'],
      uncovered: balance.uncoveredWeight,
    })[origin];
  const weights = groups.map(
    (group) =>
      group.rows.length ** balance.sizeExponent *
      (balance.sourceWeights[group.source] ?? 1) *
      (balance.languageWeights[group.lang] ?? 1) *
      factorOf(group),
  );
  const massOf = (of: (group: SampleGroup) => boolean): number =>
    groups.reduce((sum, group, index) => sum + (of(group) ? (weights[index] as number) : 0), 0);
  const shareOf = (unsafe: boolean): number => (unsafe ? balance.unsafeShare : 1 - balance.unsafeShare);
  const overall = { true: massOf(({ unsafe }) => unsafe), false: massOf(({ unsafe }) => !unsafe) };
  if (overall.true === 0 || overall.false === 0) throw new RangeError('both safe and unsafe rows are needed to train');
  if (balance.labels === 'overall') {
    return groups.map(({ unsafe }, index) =>
      Math.round((total * shareOf(unsafe) * (weights[index] as number)) / overall[`${unsafe}`]),
    );
  }
  const whole = overall.true + overall.false;
  return groups.map(({ lang, unsafe }, index) => {
    const own = massOf((group) => group.lang === lang && group.unsafe === unsafe);
    const other = massOf((group) => group.lang === lang && group.unsafe !== unsafe);
    const share = other === 0 ? 1 : shareOf(unsafe);
    return own === 0 ? 0 : Math.round((total * share * ((own + other) / whole) * (weights[index] as number)) / own);
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
  for (const [index, { source, lang, unsafe, origin, rows }] of groups.entries()) {
    const quota = quotas[index] as number;
    const key = `${source}/${lang}/${unsafe}${origin === 'written' ? '' : `/${origin}`}`;
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
