import { CATEGORIES } from '../../src/taxonomy.ts';
import { type Fault, homeCategory, type SeedRow } from '../data/seeds.ts';

/**
 * Ids are unique, every text has a twin that points back, in its language and with the other label, and translations
 * say the same of one text in different languages, as do their twins.
 */
export function linkFaults(rows: readonly SeedRow[]): Fault[] {
  const byId = new Map<string, SeedRow>();
  const repeated: Fault[] = [];
  for (const row of rows) {
    if (byId.has(row.id)) repeated.push(fault([row.id], 'the id is used twice'));
    byId.set(row.id, row);
  }
  const twins = rows.flatMap((row) => {
    const wrong = twinFault(row, byId);
    return wrong === undefined ? [] : [fault([row.id], wrong)];
  });
  const pairs = [...groupPairs(rows)].flatMap(([pair, members]) => {
    const wrong = pairFault(pair, members, byId);
    const ids = members.map(({ id }) => id);
    return wrong === undefined ? [] : [fault(ids, wrong)];
  });
  return [...repeated, ...twins, ...pairs];
}

/** Rows by the pair they share. */
export function groupPairs(rows: readonly SeedRow[]): Map<string, SeedRow[]> {
  const groups = new Map<string, SeedRow[]>();
  for (const row of rows) {
    if (row.pair === undefined) continue;
    const group = groups.get(row.pair);
    if (group) group.push(row);
    else groups.set(row.pair, [row]);
  }
  return groups;
}

function twinFault(row: SeedRow, byId: ReadonlyMap<string, SeedRow>): string | undefined {
  if (row.twin === undefined) return 'has no twin';
  const twin = byId.get(row.twin);
  if (twin === undefined) return `its twin ${row.twin} does not exist`;
  if (twin.unsafe === row.unsafe) return `its twin ${row.twin} has the same label`;
  if (twin.twin !== row.id) return `its twin ${row.twin} points elsewhere`;
  if (twin.lang !== row.lang) return `its twin ${row.twin} is in another language`;
  if (homeCategory(twin) !== homeCategory(row)) return `its twin ${row.twin} is of another category`;
  return undefined;
}

function pairFault(pair: string, members: readonly SeedRow[], byId: ReadonlyMap<string, SeedRow>): string | undefined {
  const differs = <T>(value: (row: SeedRow) => T) => new Set(members.map(value)).size > 1;
  if (members.length < 2) return `${pair} has one text`;
  if (new Set(members.map(({ lang }) => lang)).size < members.length) return `${pair} has a language twice`;
  if (differs(({ unsafe }) => unsafe)) return `${pair} has both labels`;
  if (!pair.endsWith(members[0]?.unsafe ? '-u' : '-s')) return `${pair} names the other label`;
  if (differs(({ categories }) => CATEGORIES.filter((category) => categories.includes(category)).join())) {
    return `${pair} has different categories`;
  }
  if (differs(homeCategory)) return `${pair} was written for different categories`;
  if (differs(({ kind }) => kind)) return `${pair} has different kinds`;
  if (differs(({ twin }) => (twin === undefined ? undefined : byId.get(twin)?.pair))) {
    return `${pair} has twins that are no translations of each other`;
  }
  return undefined;
}

function fault(ids: readonly string[], message: string): Fault {
  return { rule: 'links', ids, message };
}
