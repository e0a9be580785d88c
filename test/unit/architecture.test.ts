import { readdirSync, readFileSync } from 'node:fs';
import { join, posix } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

/**
 * The arrow: main -> http -> moderation -> checkpoint -> {text, inference, policy} -> errors. For each place, what it
 * may import besides itself. `contract` is src/moderation/contract.ts, which both ends of its arrow import; `main` is
 * what lies in src/ itself, but for the client, of which nothing runs in the server, nor the other way round.
 */
const LEAVES = ['errors', 'taxonomy', 'contract'];
const ALLOWED: Readonly<Record<string, readonly string[]>> = {
  main: [
    'audit',
    'config',
    'feedback',
    'http',
    'telemetry',
    'moderation',
    'checkpoint',
    'inference',
    'policy',
    ...LEAVES,
  ],
  client: ['contract', 'taxonomy'],
  cli: ['config', 'moderation', 'checkpoint', 'inference', 'policy', 'text', ...LEAVES],
  http: ['audit', 'feedback', 'telemetry', ...LEAVES],
  audit: ['text', ...LEAVES],
  feedback: ['text', ...LEAVES],
  telemetry: LEAVES,
  config: ['errors'],
  moderation: ['checkpoint', 'inference', 'policy', 'text', ...LEAVES],
  checkpoint: ['inference', 'policy', 'text', 'errors', 'taxonomy'],
  inference: ['errors', 'taxonomy'],
  policy: ['errors', 'taxonomy'],
  text: LEAVES,
  contract: ['taxonomy'],
  errors: [],
  taxonomy: [],
};

/** Places whose code leaves the server: they may import types, which leave no trace, and nothing else. */
const TYPES_ONLY = ['client'];

/** Packages that a module or two wrap, so that replacing them touches only these. */
const WRAPPED: Readonly<Record<string, string | readonly string[]>> = {
  'prom-client': ['telemetry/metrics.ts', 'telemetry/tallies.ts'],
  pino: 'telemetry/logger.ts',
  '@opentelemetry/api': 'telemetry/otlp-tracing.ts',
  '@opentelemetry/core': 'telemetry/otlp-tracing.ts',
  '@opentelemetry/exporter-trace-otlp-proto': 'telemetry/otlp-tracing.ts',
  '@opentelemetry/resources': 'telemetry/otlp-tracing.ts',
  '@opentelemetry/sdk-trace-base': 'telemetry/otlp-tracing.ts',
  yaml: 'policy/policy-file.ts',
  libsql: 'feedback/embedded-worker.ts',
  pg: 'feedback/postgres.ts',
  'onnxruntime-node': 'inference/session.ts',
  '@hono/node-server': 'http/server.ts',
  '@aws-sdk/client-s3': 'checkpoint/store/s3-store.ts',
};

/** Source text by path below src/, with forward slashes. */
type Sources = ReadonlyMap<string, string>;

function readSources(root: string): Sources {
  const paths = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter((path) => path.endsWith('.ts'));
  return new Map(paths.map((path) => [path.replaceAll('\\', '/'), readFileSync(join(root, path), 'utf8')]));
}

const SPECIFIER = /(?:\bfrom|\bimport|\bimport\s*\(|\brequire\s*\(|\bnew URL\s*\((?=\s*['"]\.))\s*['"]([^'"]+)['"]/g;

function importsOf(source: string): string[] {
  return [...source.matchAll(SPECIFIER)].map((match) => match[1] as string);
}

/** What is left of the imports when types are erased. */
function importedAtRunTime(source: string): string[] {
  const erased = source
    .replaceAll(/\/\*[\s\S]*?\*\//g, '')
    .replaceAll(/^(?:import|export) type\b[^;]*?\bfrom\s*['"][^'"]+['"];?/gm, '');
  return importsOf(erased);
}

function placeOf(path: string): string {
  if (path === 'client.ts') return 'client';
  if (path === 'moderation/contract.ts') return 'contract';
  if (path === 'errors.ts' || path === 'taxonomy.ts') return path.slice(0, -3);
  return path.includes('/') ? path.slice(0, path.indexOf('/')) : 'main';
}

function violations(sources: Sources): string[] {
  return [...sources].flatMap(([path, source]) => [
    ...importsOf(source).flatMap((target) => judge(path, target)),
    ...(TYPES_ONLY.includes(placeOf(path)) ? importedAtRunTime(source) : []).map(
      (target) => `${path} imports ${target} at run time`,
    ),
  ]);
}

function judge(path: string, target: string): string[] {
  if (!target.startsWith('.')) {
    const owners = [WRAPPED[target] ?? path].flat();
    return owners.includes(path) ? [] : [`${path} imports ${target}, which ${owners[0]} wraps`];
  }
  const resolved = posix.join(posix.dirname(path), target);
  if (resolved.startsWith('..')) return [`${path} leaves src/: ${target}`];
  const from = placeOf(path);
  const to = placeOf(resolved);
  const allowed = ALLOWED[from];
  if (allowed === undefined) return [`${path}: ${from} has no place in the arrow yet`];
  return from === to || allowed.includes(to) ? [] : [`${path} (${from}) imports ${resolved} (${to})`];
}

const src = fileURLToPath(new URL('../../src', import.meta.url));
const sources = readSources(src);

describe('the arrow of src/', () => {
  it('reads the modules and their imports', () => {
    expect(sources.size).toBeGreaterThan(40);
    expect(importsOf(sources.get('http/app.ts') as string)).toContain('../errors.ts');
    expect([...sources.values()].flatMap(importsOf).filter((target) => target.startsWith('.')).length).toBeGreaterThan(
      80,
    );
  });

  it('points one way', () => {
    expect(violations(sources)).toEqual([]);
  });

  it.each([
    ['src imports training', 'http/planted.ts', "import { train } from '../../training/cli/train.ts';"],
    ['a type from training', 'text/planted.ts', "import type { T } from '../../training/graph/graph.ts';"],
    ['dynamically', 'text/planted.ts', "const t = await import('../../training/graph/graph.ts');"],
    ['against the arrow', 'inference/planted.ts', "import { createClassifier } from '../moderation/classify.ts';"],
    ['over a re-export', 'checkpoint/planted.ts', "export { createApp } from '../http/app.ts';"],
    ['past the moderation half', 'http/planted.ts', "import { createEngine } from '../inference/pool.ts';"],
    ['between siblings', 'policy/planted.ts', "import { normalize } from '../text/normalize.ts';"],
    ['the main program', 'http/planted.ts', "import '../main.ts';"],
    ['a wrapped package', 'http/planted.ts', "import { Counter } from 'prom-client';"],
    ['the client, from the server', 'http/planted.ts', "import { createClient } from '../client.ts';"],
    ['the client, from the main program', 'planted.ts', "import { createClient } from './client.ts';"],
    ['a folder without a place', 'helpers/planted.ts', "import { CATEGORIES } from '../taxonomy.ts';"],
  ])('finds a planted violation: %s', (_, path, source) => {
    expect(violations(new Map([...sources, [path, source]]))).toHaveLength(1);
  });

  it.each([
    ['a type of the server', "import type { Lifecycle } from './http/lifecycle.ts';"],
    ['a value of where it may take types', "import { CATEGORIES } from './taxonomy.ts';"],
    ['a value beside a type', "import { CATEGORIES, type Category } from './taxonomy.ts';"],
    ['for its effects', "import './taxonomy.ts';"],
    ['dynamically', "const { CATEGORIES } = await import('./taxonomy.ts');"],
    ['over a re-export', "export { CATEGORIES } from './taxonomy.ts';"],
    ['a package', "import { z } from 'zod';"],
    ['Node', "import { once } from 'node:events';"],
  ])('finds what is planted in the client: %s', (_, line) => {
    const client = sources.get('client.ts') as string;
    expect(violations(new Map([...sources, ['client.ts', `${line}\n${client}`]]))).toHaveLength(1);
  });
});

describe('packages of the server', () => {
  const manifest = JSON.parse(readFileSync(fileURLToPath(new URL('../../package.json', import.meta.url)), 'utf8')) as {
    dependencies: Record<string, string>;
  };
  const packageOf = (target: string) => target.split('/', target.startsWith('@') ? 2 : 1).join('/');

  it('are installed without the development ones too', () => {
    const code = [...sources.values()].map((source) => source.replaceAll(/\/\*[\s\S]*?\*\//g, ''));
    const statements = code.flatMap((source) => source.match(/^(?:import|export) [\s\S]*?;$/gm) ?? []);
    const packages = new Set(statements.flatMap(importsOf).filter((target) => !/^(\.|node:)/.test(target)));
    expect(packages).toContain('hono');
    const missing = [...packages].map(packageOf).filter((name) => !Object.hasOwn(manifest.dependencies, name));
    expect(missing).toEqual([]);
  });

  it('of traces are loaded by nobody who has none', () => {
    const whole = [...sources].filter(([, source]) => /^import [^(]*?from '.*otlp-tracing\.ts';$/m.test(source));
    expect(whole.map(([path]) => path)).toEqual([]);
    expect(sources.get('telemetry/tracing.ts')).toContain("await import('./otlp-tracing.ts')");
  });
});
