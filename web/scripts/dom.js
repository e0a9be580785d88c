// @ts-check

/**
 * The element of the page with this id. Throws when it is missing or of another kind, which is a mistake in the page.
 *
 * @template {HTMLElement} T
 * @param {string} id
 * @param {new () => T} kind
 * @returns {T}
 */
export function byId(id, kind) {
  const element = document.getElementById(id);
  if (element instanceof kind) return element;
  throw new Error(`the page has no ${kind.name} #${id}`);
}

/**
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} name
 * @param {{ class?: string, text?: string }} [what]
 * @param {readonly (Node | string)[]} [children]
 * @returns {HTMLElementTagNameMap[K]}
 */
export function create(name, what = {}, children = []) {
  const element = document.createElement(name);
  if (what.class !== undefined) element.className = what.class;
  if (what.text !== undefined) element.textContent = what.text;
  element.append(...children);
  return element;
}

/** @type {Record<string, string>} */
const SPELLED = {
  non_violent_crimes: 'Non-violent crimes',
  sex_related_crimes: 'Sex-related crimes',
  suicide_self_harm: 'Suicide and self-harm',
};

/** `sexual_content` as people read it. @param {string} id */
export function inWords(id) {
  const spelled = SPELLED[id];
  if (spelled !== undefined) return spelled;
  const words = id.replaceAll('_', ' ');
  return words.charAt(0).toUpperCase() + words.slice(1);
}
