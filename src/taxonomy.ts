/** The 12 hazard categories of DuoGuard (arXiv 2502.05163), in the order every model output, file and answer uses. */
export const CATEGORIES = [
  'violent_crimes',
  'non_violent_crimes',
  'sex_related_crimes',
  'child_sexual_exploitation',
  'specialized_advice',
  'privacy',
  'intellectual_property',
  'indiscriminate_weapons',
  'hate',
  'suicide_self_harm',
  'sexual_content',
  'jailbreak_prompts',
] as const;

export type Category = (typeof CATEGORIES)[number];

/** One value per category, keyed by id. */
export type PerCategory<T> = Record<Category, T>;

const INDEX: ReadonlyMap<string, number> = new Map(CATEGORIES.map((id, index) => [id, index]));

/** Position of a category in model outputs, 0 to 11. */
export function categoryIndex(category: Category): number {
  return INDEX.get(category) as number;
}

/** Builds a record over all categories in canonical order. */
export function perCategory<T>(value: (category: Category, index: number) => T): PerCategory<T> {
  return Object.fromEntries(CATEGORIES.map((id, index) => [id, value(id, index)])) as PerCategory<T>;
}
