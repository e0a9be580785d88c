import { CATEGORIES } from '../taxonomy.ts';
import type { PolicyRules } from './rules.ts';

/**
 * Whether a condition on languages is met. A text whose language nobody can tell meets every condition: otherwise a
 * disguise that hides the language would switch rules off.
 */
export function isMet(languages: readonly string[] | undefined, language: string | undefined): boolean {
  return languages === undefined || language === undefined || languages.includes(language);
}

/** Whether what these rules make of a text depends on its language. */
export function dependsOnLanguage({ languages, categories }: PolicyRules): boolean {
  if (languages !== undefined) return true;
  return CATEGORIES.some((id) => categories[id]?.languages !== undefined || categories[id]?.by_language !== undefined);
}
