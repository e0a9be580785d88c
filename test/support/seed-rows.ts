import type { Category } from '../../src/taxonomy.ts';
import type { SeedRow } from '../../training/data/seeds.ts';

/** An unsafe text and its safe twin, as the corpus links them, with texts that nothing else has. */
export function seedPair(lang: string, category: Category, number: number): [SeedRow, SeedRow] {
  const stem = `${lang}-${category}-${String(number).padStart(4, '0')}`;
  const common = { lang, kind: 'prompt' } as const;
  const unsafe = { id: `${stem}-u`, text: distinctText(`${stem}-u`), unsafe: 1, categories: [category] } as const;
  const safe = { id: `${stem}-s`, text: distinctText(`${stem}-s`), unsafe: 0, categories: [] } as const;
  return [
    { ...common, ...unsafe, categories: [category], twin: safe.id },
    { ...common, ...safe, categories: [], twin: unsafe.id },
  ];
}

/** A pair in four languages, each text linked with its twin and its translations. */
export function seedTranslations(category: Category, number: number): SeedRow[] {
  return ['en', 'fr', 'es', 'de'].flatMap((lang) =>
    seedPair(lang, category, 5000 + number).map((row) => ({
      ...row,
      pair: `par-${category}-${String(number).padStart(4, '0')}-${row.unsafe ? 'u' : 's'}`,
    })),
  );
}

/** Letters that depend on the whole id: two such texts share hardly a piece. */
function distinctText(id: string): string {
  let state = 1;
  const word = () => {
    let letters = '';
    for (let i = 0; i < 6; i++) {
      for (const character of id) state = (Math.imul(state, 31) + character.charCodeAt(0) * 7919 + 13) >>> 0;
      letters += String.fromCharCode(97 + ((state >>> 8) % 26));
    }
    return letters;
  };
  return Array.from({ length: 8 }, word).join(' ');
}
