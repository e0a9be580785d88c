// @ts-check
import { byId, create } from './dom.js';
import { schemaLink, viewSchema } from './schema-view.js';

/** @import { Schema } from './schema-view.js' */

/**
 * @typedef {object} Operation
 * @property {string[]} tags
 * @property {string} summary
 * @property {string} [description]
 * @property {{ content: Record<string, { schema: Schema }> }} [requestBody]
 * @property {Record<string, { description: string, content?: Record<string, { schema: Schema }> }>} responses
 *
 * @typedef {object} Description
 * @property {{ version: string }} info
 * @property {Record<string, Record<string, Operation>>} paths
 * @property {{ schemas: Record<string, Schema> }} components
 */

const status = byId('status', HTMLElement);
void show();

async function show() {
  try {
    const response = await fetch('/openapi.json');
    if (!response.ok) throw new Error(String(response.status));
    /** @type {Description} */
    const description = await response.json();
    showDescription(description);
    status.hidden = true;
    openTarget();
    addEventListener('hashchange', openTarget);
  } catch {
    status.textContent = 'The description could not be read. Check that the server is running, and reload this page.';
  }
}

/** @param {Description} description */
function showDescription({ info, paths, components }) {
  byId('version', HTMLElement).textContent = `version ${info.version}`;
  const operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ method: method.toUpperCase(), path, operation })),
  );
  const groups = Map.groupBy(operations, ({ operation }) => operation.tags[0] ?? '');
  const titles = [
    ...[...groups.keys()].map((tag) => ({ id: idOf(tag), tag })),
    { id: 'schemas-title', tag: 'Schemas' },
  ];
  byId('contents', HTMLElement).replaceChildren(create('ul', {}, titles.map(contentsRow)));
  byId('operations', HTMLElement).replaceChildren(
    ...[...groups].map(([tag, members]) => {
      const title = create('h2', { text: tag });
      title.id = idOf(tag);
      return create('section', {}, [title, ...members.map(operationRow)]);
    }),
  );
  byId('schemas-title', HTMLElement).hidden = false;
  byId('schemas', HTMLElement).replaceChildren(
    create(
      'section',
      {},
      Object.entries(components.schemas).map(([name, schema]) => schemaRow(name, schema)),
    ),
  );
}

/** @param {{ id: string, tag: string }} title */
function contentsRow({ id, tag }) {
  const link = create('a', { text: tag });
  link.href = `#${id}`;
  return create('li', {}, [link]);
}

/** @param {{ method: string, path: string, operation: Operation }} row */
function operationRow({ method, path, operation }) {
  const request = operation.requestBody?.content['application/json']?.schema;
  const answer = operation.responses['200']?.content?.['application/json']?.schema;
  return create('details', {}, [
    create('summary', {}, [
      create('span', { class: 'method', text: method }),
      ' ',
      create('code', { text: path }),
      create('span', { class: 'words', text: operation.summary }),
    ]),
    create('div', { class: 'body' }, [
      ...(operation.description === undefined ? [] : [create('p', { text: operation.description })]),
      ...bodyLine('Request', request),
      ...bodyLine('Answer', answer),
      create('p', {}, ['Failure: ', schemaLink('Error')]),
    ]),
  ]);
}

/** @param {string} title @param {Schema | undefined} schema */
function bodyLine(title, schema) {
  if (schema === undefined) return [];
  return [create('p', {}, [`${title}: `, schemaLink((schema.$ref ?? '').replace(/.*\//, ''))])];
}

/** @param {string} name @param {Schema} schema */
function schemaRow(name, schema) {
  const details = create('details', {}, [
    create('summary', {}, [create('code', { text: name })]),
    create('div', { class: 'body' }, [viewSchema(schema)]),
  ]);
  details.id = `schema-${name}`;
  return details;
}

/** A link to a schema opens it. */
function openTarget() {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (target instanceof HTMLDetailsElement) target.open = true;
  target?.scrollIntoView();
}

/** @param {string} tag */
function idOf(tag) {
  return `group-${tag.toLowerCase().replace(/\W+/g, '-')}`;
}
