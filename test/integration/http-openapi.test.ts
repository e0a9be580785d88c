import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { OPERATIONS } from '../../src/http/openapi/operations.ts';
import { classifyAnswer, errorBody } from '../../src/http/openapi/schemas.ts';
import { CATEGORIES } from '../../src/taxonomy.ts';
import { createAppUnderTest, post } from '../support/app-under-test.ts';

interface Document {
  openapi: string;
  paths: Record<string, Record<string, Record<string, unknown>>>;
  components: { schemas: Record<string, Record<string, unknown>> };
}

async function read(): Promise<Document> {
  const response = await createAppUnderTest().app.request('/openapi.json');
  expect(response.status).toBe(200);
  expect(response.headers.get('content-type')).toBe('application/json');
  return (await response.json()) as Document;
}

const toPattern = (path: string) => path.replace(/:(\w+)/g, '{$1}');

describe('/openapi.json', () => {
  it('describes every route with words, and describes nothing else', async () => {
    const { openapi, paths } = await read();
    expect(openapi).toBe('3.1.0');
    const described = Object.entries(paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
    );
    expect(Object.keys(OPERATIONS).map(toPattern).sort()).toEqual(described.sort());
  });

  it('takes the request from the schema that validates it', async () => {
    const { components, paths } = await read();
    expect(paths['/classify']?.['post']?.['requestBody']).toMatchObject({
      content: { 'application/json': { schema: { $ref: '#/components/schemas/ClassifyRequest' } } },
    });
    const request = components.schemas['ClassifyRequest'] as {
      required: string[];
      properties: Record<string, Record<string, unknown>>;
      additionalProperties: boolean;
    };
    expect(request.required).toEqual(['input']);
    expect(request.additionalProperties).toBe(false);
    expect(request.properties).toMatchObject({
      categories: { items: { enum: [...CATEGORIES] } },
      long_input: { enum: ['window', 'reject'], default: 'window' },
      explain: { type: 'boolean' },
    });
    expect(JSON.stringify(request.properties['input'])).toContain('#/components/schemas/Conversation');
  });

  it('has every schema that it refers to', async () => {
    const document = await read();
    const names = [...JSON.stringify(document).matchAll(/"\$ref":"([^"]+)"/g)].map(([, reference]) => reference);
    expect(names.length).toBeGreaterThan(10);
    for (const name of new Set(names)) {
      expect(Object.keys(document.components.schemas).map((id) => `#/components/schemas/${id}`)).toContain(name);
    }
  });

  it('describes answers as they are', async () => {
    const { classify } = createAppUnderTest();
    const whole = z.strictObject(classifyAnswer.shape);
    expect(whole.safeParse(await (await classify({ input: ['calm', 'hateful'] })).json()).error).toBeUndefined();
    expect(errorBody.safeParse(await (await classify({ input: 3 })).json()).error).toBeUndefined();
  });

  it('is served without the pages too', async () => {
    const { app } = createAppUnderTest({ pages: [] });
    expect((await app.request('/')).status).toBe(404);
    expect((await app.request('/openapi.json', post({}))).status).toBe(405);
  });
});
