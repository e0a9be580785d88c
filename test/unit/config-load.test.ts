import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadConfig, printable } from '../../src/config/load.ts';
import { flagOf, infoOf, SETTING_KEYS } from '../../src/config/settings.ts';
import type { DuoguardError } from '../../src/errors.ts';

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'duoguard-config-'));
});
afterAll(() => rmSync(directory, { recursive: true }));

function file(content: unknown): string {
  const path = join(directory, 'config.json');
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content));
  return path;
}

function load(argv: string[], env: NodeJS.ProcessEnv = {}) {
  const outcome = loadConfig(argv, env);
  if (outcome.kind !== 'config') throw new Error(outcome.kind);
  return outcome.loaded;
}

function refusal(argv: string[], env: NodeJS.ProcessEnv = {}): string {
  try {
    loadConfig(argv, env);
  } catch (error) {
    expect((error as DuoguardError).code).toBe('invalid_config');
    return (error as Error).message;
  }
  throw new Error('was accepted');
}

describe('loadConfig', () => {
  it('takes the flag over the variable over the file over the default', () => {
    const path = file({ port: 1, max_items: 1, queue_size: 1 });
    const { config, sources } = load(['--config', path, '--port', '3'], { PORT: '2', DUOGUARD_MAX_ITEMS: '2' });
    expect(config).toMatchObject({ port: 3, max_items: 2, queue_size: 1, host: '0.0.0.0' });
    expect(sources).toMatchObject({ port: 'flag', max_items: 'env', queue_size: 'file', host: 'default' });
  });

  it('finds the file through DUOGUARD_CONFIG and prefers --config', () => {
    const path = file({ port: 7 });
    expect(load([], { DUOGUARD_CONFIG: path }).config.port).toBe(7);
    expect(refusal(['--config', join(directory, 'absent.json')], { DUOGUARD_CONFIG: path })).toContain('absent.json');
  });

  it('reads --key=value and lists', () => {
    const { config } = load(['--api-keys=first-key, second=key', '--host=127.0.0.1']);
    expect(config).toMatchObject({ api_keys: ['first-key', 'second=key'], host: '127.0.0.1' });
  });

  it('names every mistake at once', () => {
    const message = refusal(['--prot', '1', '--hots=x', '--port'], {});
    expect(message).toContain('unknown flag --prot; did you mean --port?');
    expect(message).toContain('unknown flag --hots; did you mean --host?');
    expect(message).toContain('--port needs a value');
  });

  it('says where a wrong value comes from, without repeating it', () => {
    const message = refusal(['--port', '70000'], { DUOGUARD_MAX_ITEMS: 'many', DUOGUARD_API_KEYS: 'short' });
    expect(message).toMatch(/^port: .*\(from the flag\)$/m);
    expect(message).toMatch(/^max_items: .*\(from the env\)$/m);
    expect(message).toMatch(/^api_keys.0: .*at least 8.*\(from the env\)$/m);
    expect(message).not.toContain('short');
  });

  it.each([
    ['an unknown key', { prot: 1 }, 'unknown key prot; did you mean port?'],
    ['a list', [], 'not a JSON object'],
    ['text', 'port: 1', 'not valid JSON'],
  ])('refuses a file with %s', (_, content, problem) => {
    expect(refusal(['--config', file(content)])).toContain(problem);
  });

  it('is not confused by the variables Kubernetes adds for a service', () => {
    const { config } = load([], {
      DUOGUARD_PORT: 'tcp://10.0.0.1:80',
      DUOGUARD_SERVICE_HOST: '10.0.0.1',
      DUOGUARD_METRICS_PORT: 'tcp://10.0.0.2:9090',
    });
    expect(config.port).toBe(8080);
    expect(config).not.toHaveProperty('metrics_port');
  });

  it('offers help and version before it looks at anything else', () => {
    expect(loadConfig(['--help', '--nonsense'], {}).kind).toBe('help');
    expect(loadConfig(['--version'], { PORT: 'x' }).kind).toBe('version');
  });

  it('gives every setting a flag and a variable of its own', () => {
    expect(new Set(SETTING_KEYS.map(flagOf)).size).toBe(SETTING_KEYS.length);
    expect(new Set(SETTING_KEYS.map((key) => infoOf(key).env)).size).toBe(SETTING_KEYS.length);
  });
});

describe('printable', () => {
  it('masks keys and shows everything else', () => {
    const { config } = load(['--api-keys', 'planted-secret-1,planted-secret-2', '--audit-key', 'planted-audit-key']);
    const text = JSON.stringify(printable(config));
    expect(text).not.toContain('planted');
    expect(JSON.parse(text)).toMatchObject({
      api_keys: '[2 hidden]',
      audit_key: '[hidden]',
      port: 8080,
      models_dir: 'models',
    });
  });
});
