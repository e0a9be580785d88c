// @ts-check
import { byId, create } from './dom.js';
import { readPolicies } from './server.js';

/** @import { Info, Input, Policy } from './types.d.ts' */

const field = byId('policy-field', HTMLElement);
const select = byId('policy', HTMLSelectElement);
const words = byId('policy-words', HTMLElement);

/** @type {Policy[]} */
let policies = [];

select.addEventListener('change', describe);

/** Asks the server; there is nothing to choose where it has one policy. @param {string} key */
export async function refreshPolicies(key) {
  const chosen = select.value;
  policies = await readPolicies(key).catch(() => []);
  select.replaceChildren(...policies.map(({ name }) => create('option', { text: name })));
  if (policies.some(({ name }) => name === chosen)) select.value = chosen;
  field.hidden = policies.length < 2;
  describe();
}

export function hasPolicies() {
  return policies.length > 0;
}

/** @returns {string | undefined} the name; undefined for the server's own choice */
export function chosenPolicy() {
  return select.value === '' ? undefined : select.value;
}

/**
 * @param {Info['checkpoint']} checkpoint the one that judged
 * @param {Input} input
 * @returns {Record<string, number>} by category; a category that the policy ignores has none
 */
export function thresholdsOf(checkpoint, input) {
  const thresholds = checkpoint?.thresholds ?? {};
  const policy = policies.find(({ name }) => name === select.value);
  if (policy === undefined) return thresholds;
  const direction = typeof input === 'object' && ('stream' in input || 'response' in input) ? 'output' : 'input';
  return Object.fromEntries(
    Object.entries(thresholds).flatMap(([id, threshold]) => {
      const rule = policy.categories[id];
      if (rule === undefined) return [[id, threshold]];
      const applies = rule.action !== 'ignore' && (rule.direction === 'both' || rule.direction === direction);
      return applies ? [[id, rule.threshold ?? threshold]] : [];
    }),
  );
}

function describe() {
  words.textContent = policies.find(({ name }) => name === select.value)?.description ?? '';
}
