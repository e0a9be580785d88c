import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { FORMATS } from '../../src/http/formats/formats.ts';
import { createAppUnderTest, post } from '../support/app-under-test.ts';

const page = readFileSync(new URL('../../docs/formats.md', import.meta.url), 'utf8');
const commands = [...page.matchAll(/curl -s localhost:8080(\S+)[^']*'content-type: application\/json'[^']*'([^']+)'/g)];

describe('docs/formats.md', () => {
  it('has a command for each format', () => {
    expect(commands).toHaveLength(FORMATS.length);
  });

  it.each(commands.map(([, path, body]) => [path as string, body as string]))(
    'shows %s as it works',
    async (path, body) => {
      expect((await createAppUnderTest().app.request(path, post(body))).status).toBe(200);
    },
  );
});
