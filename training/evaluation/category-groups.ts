import type { Category, PerCategory } from '../../src/taxonomy.ts';

/** Coarser classes between the 12 categories and safe or unsafe, as a middle level to measure at. */
export const CATEGORY_GROUPS = ['bodily_harm', 'sexual_harm', 'attacks_on_persons', 'property', 'misuse'] as const;
export type CategoryGroup = (typeof CATEGORY_GROUPS)[number];

const GROUP_OF: PerCategory<CategoryGroup> = {
  violent_crimes: 'bodily_harm',
  indiscriminate_weapons: 'bodily_harm',
  suicide_self_harm: 'bodily_harm',
  sex_related_crimes: 'sexual_harm',
  child_sexual_exploitation: 'sexual_harm',
  sexual_content: 'sexual_harm',
  hate: 'attacks_on_persons',
  privacy: 'attacks_on_persons',
  non_violent_crimes: 'property',
  intellectual_property: 'property',
  specialized_advice: 'misuse',
  jailbreak_prompts: 'misuse',
};

export function groupOf(category: Category): CategoryGroup {
  return GROUP_OF[category];
}
