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

/** Builds a record over all categories in canonical order. Written out: `Object.fromEntries` took ten times as long. */
export function perCategory<T>(value: (category: Category, index: number) => T): PerCategory<T> {
  return {
    violent_crimes: value('violent_crimes', 0),
    non_violent_crimes: value('non_violent_crimes', 1),
    sex_related_crimes: value('sex_related_crimes', 2),
    child_sexual_exploitation: value('child_sexual_exploitation', 3),
    specialized_advice: value('specialized_advice', 4),
    privacy: value('privacy', 5),
    intellectual_property: value('intellectual_property', 6),
    indiscriminate_weapons: value('indiscriminate_weapons', 7),
    hate: value('hate', 8),
    suicide_self_harm: value('suicide_self_harm', 9),
    sexual_content: value('sexual_content', 10),
    jailbreak_prompts: value('jailbreak_prompts', 11),
  };
}
