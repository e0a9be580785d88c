// @ts-check
import { create } from './dom.js';

/**
 * What of JSON Schema our own description uses.
 *
 * @typedef {object} Schema
 * @property {string} [$ref]
 * @property {string} [type]
 * @property {string} [description]
 * @property {unknown} [const]
 * @property {unknown[]} [enum]
 * @property {unknown} [default]
 * @property {Schema[]} [anyOf]
 * @property {Schema[]} [oneOf]
 * @property {Schema} [items]
 * @property {Record<string, Schema>} [properties]
 * @property {string[]} [required]
 */

const BOUNDS = /** @type {const} */ ({
  minLength: 'at least %s characters',
  maxLength: 'at most %s characters',
  minItems: 'at least %s',
  maxItems: 'at most %s',
  minimum: 'from %s',
  maximum: 'to %s',
});

/** The fields of an object as nested lists, or what else the schema takes in words. @param {Schema} schema */
export function viewSchema(schema) {
  return create('div', {}, [create('p', {}, [...typeInWords(schema), ...notes(schema)]), ...fields(schema)]);
}

/** @param {string} name */
export function schemaLink(name) {
  const link = create('a', { text: name });
  link.href = `#schema-${name}`;
  return link;
}

/** @param {Schema} schema @returns {Node[]} */
function fields({ properties, items, required = [], anyOf, oneOf }) {
  if (properties !== undefined) {
    const rows = Object.entries(properties).map(([name, field]) =>
      create('li', {}, [
        create('code', { text: name }),
        required.includes(name) ? ' ' : create('span', { class: 'note', text: ' optional ' }),
        ...typeInWords(field),
        ...notes(field),
        ...fields(field),
      ]),
    );
    return [create('ul', { class: 'fields' }, rows)];
  }
  const inner = [...(items === undefined ? [] : [items]), ...(anyOf ?? oneOf ?? [])];
  return inner.flatMap(fields);
}

/** @param {Schema} schema @returns {(Node | string)[]} */
function typeInWords({ $ref: reference, type, enum: values, const: constant, items, anyOf, oneOf }) {
  if (reference !== undefined) return [schemaLink(reference.slice(reference.lastIndexOf('/') + 1))];
  if (constant !== undefined) return [code(constant)];
  if (values !== undefined) return joined(values.map((value) => [code(value)]));
  const alternatives = anyOf ?? oneOf;
  if (alternatives !== undefined) return joined(alternatives.map(typeInWords));
  if (type === 'array' && items !== undefined) return ['array of (', ...typeInWords(items), ')'];
  return [type ?? 'anything'];
}

/** @param {(Node | string)[][]} alternatives */
function joined(alternatives) {
  return alternatives.flatMap((words, index) => (index === 0 ? words : [' or ', ...words]));
}

/** @param {Schema} schema @returns {Node[]} */
function notes(schema) {
  const bounds = Object.entries(BOUNDS).flatMap(([bound, words]) => {
    const value = /** @type {Record<string, unknown>} */ (schema)[bound];
    const isLimit = typeof value === 'number' && Math.abs(value) < Number.MAX_SAFE_INTEGER;
    return isLimit ? [words.replace('%s', String(value))] : [];
  });
  if (schema.default !== undefined) bounds.push(`default ${JSON.stringify(schema.default)}`);
  if (schema.description !== undefined) bounds.push(schema.description);
  return bounds.length === 0 ? [] : [create('span', { class: 'note', text: `, ${bounds.join(', ')}` })];
}

/** @param {unknown} value */
function code(value) {
  return create('code', { text: JSON.stringify(value) });
}
