import type { Handler } from '../exchange.ts';
import { OPERATIONS, type Operation } from './operations.ts';
import { componentSchemas, schemaRef } from './schemas.ts';

export interface DescribedRoute {
  readonly method: string;
  /** A hono pattern. */
  readonly path: string;
}

/** `GET /openapi.json`, written at the first request. */
export function createOpenApiHandler(version: string, routes: readonly DescribedRoute[]): Handler {
  let text: string | undefined;
  return () => {
    text ??= JSON.stringify(openApiDocument(version, routes));
    return { status: 200, headers: { 'content-type': 'application/json' }, body: text };
  };
}

/** OpenAPI 3.1 of exactly these routes. */
function openApiDocument(version: string, routes: readonly DescribedRoute[]) {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const { method, path } of routes) {
    const pattern = path.replace(/:(\w+)/g, '{$1}');
    const operation = OPERATIONS[`${method} ${path}`] ?? { tag: 'More', summary: '' };
    paths[pattern] = { ...paths[pattern], [method.toLowerCase()]: describe(operation, path) };
  }
  return {
    openapi: '3.1.0',
    info: { title: 'duoguard', version, license: { name: 'Apache-2.0', identifier: 'Apache-2.0' } },
    servers: [{ url: '/' }],
    paths,
    components: {
      schemas: componentSchemas(),
      securitySchemes: {
        bearer: { type: 'http', scheme: 'bearer' },
        apiKey: { type: 'apiKey', in: 'header', name: 'x-api-key' },
      },
    },
  };
}

function describe({ tag, summary, request, answer, scope }: Operation, path: string) {
  const parameters = [...path.matchAll(/:(\w+)/g)].map(([, name]) => ({
    name,
    in: 'path',
    required: true,
    schema: { type: 'string' },
  }));
  return {
    tags: [tag],
    summary,
    ...(scope === undefined ? {} : { description: `Needs a key with the scope ${scope}${openWithout(scope)}.` }),
    ...(scope === undefined ? {} : { security: [{ bearer: [] }, { apiKey: [] }, ...(scope === 'admin' ? [] : [{}])] }),
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(request === undefined
      ? {}
      : { requestBody: { required: true, content: { 'application/json': { schema: schemaRef(request) } } } }),
    responses: {
      200: {
        description: 'Success',
        ...(answer === undefined ? {} : { content: { 'application/json': { schema: schemaRef(answer) } } }),
      },
      default: {
        description: 'A failure; docs/errors.md lists the codes. Other formats have their own shape of it.',
        content: { 'application/json': { schema: schemaRef('Error') } },
      },
    },
  };
}

function openWithout(scope: string): string {
  return scope === 'admin' ? '' : ', if the server has any keys';
}
