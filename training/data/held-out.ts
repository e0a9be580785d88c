/** What holding out needs to know of a row. */
export interface LinkedRow {
  /** `en-privacy-0041-u`. */
  readonly id: string;
  /** Shared by translations: `par-privacy-0007-u`. */
  readonly pair?: string | undefined;
  /** Id of the counterpart with the other label. */
  readonly twin?: string | undefined;
}

const BLOCK = 10;

/**
 * Ids of the tenth of the seeds that no training may see: one of every ten numbers of a language and category, which
 * of the ten a hash decides. A text goes together with its twin and its translations. A row's side depends on nothing
 * but the number in its component's name, so it stays where it is when rows are added, mended or taken away.
 *
 * Throws an `Error` for an id without a number.
 */
export function heldOut(rows: readonly LinkedRow[]): ReadonlySet<string> {
  const held = components(rows).filter(isHeldOut);
  return new Set(held.flat().map((row) => row.id));
}

/** Rows joined by pair and twin links, directly or over others. A twin that is not among the rows joins nothing. */
export function components<T extends LinkedRow>(rows: readonly T[]): T[][] {
  const parents = rows.map((_, row) => row);
  const find = (row: number): number => {
    let root = row;
    while (parents[root] !== root) root = parents[root] as number;
    parents[row] = root;
    return root;
  };
  const byId = new Map(rows.map((row, index) => [row.id, index]));
  const firstOfPair = new Map<string, number>();
  for (const [index, { pair, twin }] of rows.entries()) {
    const other = twin === undefined ? undefined : byId.get(twin);
    if (other !== undefined) parents[find(index)] = find(other);
    if (pair === undefined) continue;
    const first = firstOfPair.get(pair);
    if (first === undefined) firstOfPair.set(pair, index);
    else parents[find(index)] = find(first);
  }
  const members = new Map<number, T[]>();
  for (const [index, row] of rows.entries()) {
    const root = find(index);
    const component = members.get(root);
    if (component) component.push(row);
    else members.set(root, [row]);
  }
  return [...members.values()];
}

/** A component is named after its pairs if it has any, else after its ids; the least name counts. */
function isHeldOut(component: readonly LinkedRow[]): boolean {
  const pairs = component.flatMap(({ pair }) => pair ?? []);
  const [name] = (pairs.length > 0 ? pairs : component.map(({ id }) => id)).sort() as [string];
  const [, stem, digits] = /^(.*)-(\d+)-[us]$/.exec(name) ?? [];
  if (digits === undefined) throw new Error(`${name} has no number to hold out by`);
  const number = Number(digits);
  return number % BLOCK === hash(`${stem}/${Math.floor(number / BLOCK)}`) % BLOCK;
}

/** FNV-1a, 32 bits, with its high bits folded in: alone the low ones hardly mix. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) value = Math.imul(value ^ text.charCodeAt(i), 0x01000193);
  return (value ^ (value >>> 15)) >>> 0;
}
