import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { CATEGORIES } from '../../src/taxonomy.ts';
import { KINDS } from '../../training/data/rows.ts';
import { readSeeds, SEEDS_DIRECTORY } from '../../training/data/seeds.ts';
import { checkSeeds } from '../../training/seeds-report/check.ts';
import { reportSeeds, sumCounts } from '../../training/seeds-report/report.ts';
import { formatCard, replaceTables } from '../../training/seeds-report/tables.ts';

const MAIN = ['en', 'fr', 'es', 'de'];
const FURTHER = ['it', 'pt', 'nl', 'pl', 'ru', 'tr', 'ar', 'hi', 'zh', 'ja', 'ko', 'id'];

describe('the corpus', async () => {
  const { rows, faults } = await readSeeds();
  const report = reportSeeds(rows);
  const language = (lang: string) => {
    const found = report.languages.find((summary) => summary.lang === lang);
    return { texts: (found?.unsafe ?? 0) + (found?.safe ?? 0), parallel: found?.parallel ?? 0 };
  };

  it('keeps to the schema', () => {
    expect(faults).toEqual([]);
  });

  it('has sound links, no text twice or nearly twice, and no opening too often', () => {
    expect(checkSeeds(rows)).toEqual([]);
  });

  it('has at least 12,000 texts, half of them safe', () => {
    expect(report.texts).toBeGreaterThanOrEqual(12_000);
    expect(report.safe / report.texts).toBeGreaterThanOrEqual(0.48);
    expect(report.safe / report.texts).toBeLessThanOrEqual(0.52);
  });

  it('has a safe twin for every unsafe text', () => {
    expect(report.twins.withSafeTwin).toBe(report.twins.unsafe);
  });

  it.each(MAIN)('is large in %s', (lang) => {
    expect(language(lang).texts).toBeGreaterThanOrEqual(2000);
  });

  it.each(FURTHER)('has at least 150 texts in %s', (lang) => {
    expect(language(lang).texts).toBeGreaterThanOrEqual(150);
  });

  it('has all categories in every language', () => {
    for (const { lang } of report.languages) {
      const categories = report.cells.filter((cell) => cell.lang === lang && cell.unsafe > 0 && cell.safe > 0);
      expect([lang, new Set(categories.map((cell) => cell.category)).size]).toEqual([lang, CATEGORIES.length]);
    }
  });

  it.each(KINDS)('has unsafe and safe texts of the kind %s in every main language', (kind) => {
    for (const lang of MAIN) {
      const { unsafe, safe } = sumCounts(report.cells.filter((cell) => cell.kind === kind && cell.lang === lang));
      expect(Math.min(unsafe, safe)).toBeGreaterThanOrEqual(20);
    }
  });

  it('has at least 3,000 texts that are parallel across the main languages', () => {
    const parallel = MAIN.map((lang) => language(lang).parallel);
    expect(parallel.reduce((sum, count) => sum + count)).toBeGreaterThanOrEqual(3000);
    expect(new Set(parallel).size).toBe(1);
  });

  it('is what its data card says (npm run seeds -- report --card)', async () => {
    const card = await readFile(join(SEEDS_DIRECTORY, 'README.md'), 'utf8');
    expect(replaceTables(card, formatCard(report))).toBe(card);
  });
});
