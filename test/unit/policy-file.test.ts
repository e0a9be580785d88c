import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, test, vi } from 'vitest';
import { openPolicies, type Policies } from '../../src/policy/policies.ts';
import { parsePolicyFile } from '../../src/policy/policy-file.ts';
import { temporaryDirectory } from '../support/fixture-checkpoint.ts';

const STRICT = `
version: 1
policies:
  strict:
    description: For children
    categories:
      hate: { threshold: 0.3 }
      privacy: { action: flag, direction: output }
    severity: { medium: 0.7, high: 0.9 }
    phrases:
      deny: [project falcon]
    on_failure: closed
`;

test('a file in YAML becomes policies with their defaults', () => {
  const strict = parsePolicyFile(STRICT, 'p.yaml').get('strict');
  expect(strict).toEqual({
    description: 'For children',
    categories: { hate: { threshold: 0.3, direction: 'both' }, privacy: { action: 'flag', direction: 'output' } },
    default_action: 'block',
    severity: { low: 0.5, medium: 0.7, high: 0.9 },
    phrases: { deny: ['project falcon'], allow: [] },
    on_failure: 'closed',
  });
});

test('JSON is read too, and its mistakes have lines', () => {
  const json = JSON.stringify({ version: 1, policies: { a: { default_action: 'flag' } } }, null, 2);
  expect(parsePolicyFile(json, 'p.json').get('a')?.default_action).toBe('flag');
  expect(() => parsePolicyFile(json.replace('"flag"', '"warn"'), 'p.json')).toThrow(
    'p.json:5: policies.a.default_action: ',
  );
});

test.each([
  [
    'an unknown field',
    STRICT.replace('threshold', 'treshold'),
    'p.yaml:7: policies.strict.categories.hate.treshold: is not known',
  ],
  [
    'an unknown category',
    STRICT.replace('privacy:', 'secrets:'),
    'p.yaml:8: policies.strict.categories.secrets: is not known',
  ],
  [
    'a language by its name',
    STRICT.replace('description: For children', 'languages: [de, german]'),
    'p.yaml:5: policies.strict.languages[1]: expected a code of ISO 639-1, such as "de"',
  ],
  [
    'a language that cannot be told from another',
    STRICT.replace('threshold: 0.3', 'by_language: { ms: { threshold: 0.3 } }'),
    'p.yaml:7: policies.strict.categories.hate.by_language.ms: expected "id", which stands for Malay too',
  ],
  [
    'languages of the policy that judges the others',
    STRICT.replaceAll('strict', 'default').replace('description: For children', 'languages: [de]'),
    'p.yaml:5: policies.default.languages: expected none, because default judges what is in other languages',
  ],
  ['a threshold above 1', STRICT.replace('0.3', '3'), 'p.yaml:7: policies.strict.categories.hate.threshold: too big'],
  [
    'an action that does not exist',
    STRICT.replace('flag', 'warn'),
    'p.yaml:8: policies.strict.categories.privacy.action: invalid option',
  ],
  [
    'bands out of order',
    STRICT.replace('0.7', '0.95'),
    'p.yaml:9: policies.strict.severity: expected low < medium < high',
  ],
  [
    'a phrase without words',
    STRICT.replace('project falcon', '"a", "?!"'),
    'p.yaml:11: policies.strict.phrases.deny[1]: expected at least one letter',
  ],
  [
    'a name that is no label',
    STRICT.replace('strict:', 'Very Strict:'),
    'p.yaml:4: policies.Very Strict: expected a name',
  ],
  ['no version', STRICT.replace('version: 1', '# nothing'), 'p.yaml:3: version: invalid input'],
  ['a key twice', STRICT.replace('on_failure: closed', 'phrases: {}'), 'p.yaml:12: not valid YAML (duplicate key)'],
  ['broken YAML', STRICT.replace('[project', '[[project'), 'not valid YAML'],
  ['an empty file', '', 'p.yaml:1: the file: invalid input'],
])('%s is refused with file, line and field', (_, text, message) => {
  expect(() => parsePolicyFile(text, 'p.yaml')).toThrow(message);
});

test('every mistake is reported, and no value is repeated', () => {
  const text = STRICT.replace('0.3', 'sesame').replace('closed', 'sesame');
  const refusal = (() => {
    try {
      parsePolicyFile(text, 'p.yaml');
    } catch (error) {
      return (error as Error).message;
    }
  })();
  expect(refusal?.split('\n')).toHaveLength(2);
  expect(refusal).not.toContain('sesame');
});

test('aliases that multiply are refused', () => {
  const lines = ['a: &a0 [x, x, x, x, x, x, x, x, x, x]'];
  for (let level = 1; level < 9; level++) {
    lines.push(
      `b${level}: &a${level} [${Array(10)
        .fill(`*a${level - 1}`)
        .join(', ')}]`,
    );
  }
  expect(() => parsePolicyFile(lines.join('\n'), 'p.yaml')).toThrow('aliases cannot be resolved');
});

let opened: Policies | undefined;
afterEach(() => opened?.close());

function openFile(text: string) {
  const file = join(temporaryDirectory(), 'policies.yaml');
  writeFileSync(file, text);
  const onReload = vi.fn();
  const onFailure = vi.fn();
  const policies = openPolicies({ file, onReload, onFailure, intervalMs: 10 });
  opened = policies;
  return { file, policies, onReload, onFailure };
}

test('a changed file counts, a broken or missing one leaves what was and is told once', async () => {
  const { file, policies, onReload, onFailure } = openFile(STRICT);
  expect(policies.describe()).toMatchObject([
    { name: 'default', severity: null },
    { name: 'strict', phrases: { deny: 1, allow: 0 }, on_failure: 'closed' },
  ]);
  expect(JSON.stringify(policies.describe())).not.toContain('falcon');

  writeFileSync(file, STRICT.replace('strict:', 'lenient:'));
  await vi.waitFor(() => expect(onReload).toHaveBeenCalledWith(['default', 'lenient']));
  expect(policies.find('strict')).toBeUndefined();

  writeFileSync(file, 'version: 2');
  await vi.waitFor(() => expect(onFailure).toHaveBeenCalled());
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(onFailure).toHaveBeenCalledTimes(1);
  expect(policies.find('lenient')).toBeDefined();

  rmSync(file);
  await vi.waitFor(() => expect(onFailure).toHaveBeenCalledTimes(2));
  expect(policies.find('lenient')).toBeDefined();

  writeFileSync(file, STRICT);
  await vi.waitFor(() => expect(policies.find('strict')).toBeDefined());
});

test('a file may define the default policy; without one it blocks at the thresholds of the checkpoint', () => {
  expect(openFile(STRICT.replace('strict:', 'default:')).policies.find('default')?.on_failure).toBe('closed');
  opened?.close();
  expect(openFile(STRICT).policies.find('default')).toMatchObject({ categories: {}, default_action: 'block' });
});

test('a server does not start on a broken file', () => {
  expect(() => openFile('version: 2')).toThrow('version');
});
