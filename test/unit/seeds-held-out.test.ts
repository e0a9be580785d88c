import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readDataset } from '../../training/data/dataset.ts';
import { components, heldOut, type LinkedRow } from '../../training/data/held-out.ts';
import { homeCategory, readSeeds, type SeedRow } from '../../training/data/seeds.ts';
import { seedPair, seedTranslations } from '../support/seed-rows.ts';

const texts = (category: 'privacy' | 'hate', count: number): SeedRow[] =>
  Array.from({ length: count }, (_, i) => seedPair('en', category, i + 1)).flat();

describe('components', () => {
  it('join twins and translations, directly and over others', () => {
    const found = components([
      ...seedTranslations('hate', 1),
      ...seedPair('en', 'hate', 1),
      ...seedPair('de', 'hate', 1),
    ]);
    expect(found.map((component) => component.length).sort()).toEqual([2, 2, 8]);
  });

  it('have every row once, and no link leads out of one', () => {
    const link = fc.option(
      fc.nat(30).map((n) => `x-${n}-u`),
      { nil: undefined },
    );
    const row: fc.Arbitrary<LinkedRow> = fc.record({ id: fc.nat(30).map((n) => `x-${n}-u`), pair: link, twin: link });
    fc.assert(
      fc.property(fc.uniqueArray(row, { selector: ({ id }) => id }), (rows) => {
        const found = components(rows);
        const place = new Map(found.flatMap((component, number) => component.map(({ id }) => [id, number] as const)));
        expect(found.flat()).toHaveLength(rows.length);
        expect(place.size).toBe(rows.length);
        for (const a of rows) {
          for (const b of rows) {
            const linked = a.twin === b.id || (a.pair !== undefined && a.pair === b.pair);
            if (linked) expect(place.get(a.id)).toBe(place.get(b.id));
          }
        }
      }),
    );
  });
});

describe('heldOut', () => {
  it('holds out one of every ten numbers', () => {
    const held = heldOut(texts('privacy', 1009));
    expect(held.size).toBeGreaterThanOrEqual(200);
    expect(held.size).toBeLessThanOrEqual(204);
    for (let block = 1; block < 100; block++) {
      const digits = String(block).padStart(3, '0');
      expect([...held].filter((id) => id.startsWith(`en-privacy-${digits}`))).toHaveLength(2);
    }
  });

  it('takes each of the ten places about as often', () => {
    const places = Array.from({ length: 10 }, () => 0);
    for (const id of heldOut(texts('hate', 5000))) places[Number(id.slice(-3, -2))]! += 1;
    for (const count of places) expect(count).toBeGreaterThan(60);
  });

  it('does not move when rows are added or taken away', () => {
    const all = [...texts('hate', 300), ...seedTranslations('hate', 3), ...seedTranslations('hate', 4)];
    const held = heldOut(all);
    fc.assert(
      fc.property(fc.subarray(components(all)), (kept) => {
        const rows = kept.flat();
        expect(heldOut(rows)).toEqual(new Set(rows.map(({ id }) => id).filter((id) => held.has(id))));
      }),
      { numRuns: 30 },
    );
  });

  it('does not depend on the order of rows', () => {
    const rows = [...texts('hate', 100), ...seedTranslations('hate', 7)];
    expect(heldOut([...rows].reverse())).toEqual(heldOut(rows));
  });

  it('refuses ids without a number', () => {
    expect(() => heldOut([{ id: 'first' }])).toThrow('first has no number');
  });
});

describe('the held-out tenth of the corpus', async () => {
  const { rows } = await readSeeds();
  const held = heldOut(rows);

  it('splits no component', () => {
    const split = components(rows).filter((component) => new Set(component.map(({ id }) => held.has(id))).size > 1);
    expect(split).toEqual([]);
  });

  it('is near a tenth of each language, of each category, and of each category of the large languages', () => {
    const share = (own: readonly SeedRow[]) => own.filter(({ id }) => held.has(id)).length / own.length;
    const groups = (key: (row: SeedRow) => string) => {
      const found = new Map<string, SeedRow[]>();
      for (const row of rows) found.set(key(row), [...(found.get(key(row)) ?? []), row]);
      return [...found];
    };
    const far = (all: [string, SeedRow[]][], least: number, most: number) =>
      all.filter(([, own]) => share(own) < least || share(own) > most).map(([name, own]) => [name, share(own)]);
    expect(far([['all', rows]], 0.095, 0.105)).toEqual([]);
    expect(
      far(
        groups(({ lang }) => lang),
        0.07,
        0.13,
      ),
    ).toEqual([]);
    expect(far(groups(homeCategory), 0.08, 0.12)).toEqual([]);
    const cells = groups((row) => `${row.lang} ${homeCategory(row)}`).filter(([, own]) => own.length >= 100);
    expect(cells.length).toBeGreaterThan(40);
    expect(far(cells, 0.06, 0.14)).toEqual([]);
  });

  it('and the rest are read by name, under one source and license', async () => {
    const read = async (name: string) => {
      const { rows: open, sourceInfo } = await readDataset(name);
      const ids: string[] = [];
      for await (const { id, source } of open()) {
        expect(source).toBe('seeds');
        ids.push(id as string);
      }
      expect(sourceInfo('seeds')).toEqual({ license: 'Apache-2.0', usable: true });
      return ids;
    };
    const [all, kept, train] = await Promise.all([read('seeds'), read('seeds:held-out'), read('seeds:train')]);
    expect(new Set(kept)).toEqual(held);
    expect([...kept, ...train].sort()).toEqual([...all].sort());
    expect(all).toHaveLength(rows.length);
  });
});
