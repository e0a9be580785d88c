import { createHash } from 'node:crypto';
import { mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createAuthorize, parseApiKeys, type Scope } from '../../src/http/api-keys.ts';
import { type Keyring, openKeyring } from '../../src/http/keyring.ts';
import { createLogger } from '../../src/telemetry/logger.ts';

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');

function outcome(texts: readonly string[], key: string | undefined, scope: Scope): string {
  const keys = parseApiKeys(texts);
  const headers = new Headers(key === undefined ? {} : { authorization: `Bearer ${key}` });
  return attempt(() => createAuthorize(() => keys)(headers, scope)?.id ?? 'open');
}

function attempt(work: () => string): string {
  try {
    return work();
  } catch (error) {
    return (error as { code: string }).code;
  }
}

describe('scopes', () => {
  const id = sha256('a-key').slice(0, 8);

  it.each<[string, readonly string[], string | undefined, Scope, string]>([
    ['no keys: classifying is open', [], undefined, 'classify', 'open'],
    ['no keys: metrics are open', [], undefined, 'metrics', 'open'],
    ['no keys: nobody administers', [], 'a-key', 'admin', 'forbidden'],
    ['no key given', ['a-key'], undefined, 'classify', 'unauthorized'],
    ['a wrong key', ['a-key'], 'b-key', 'classify', 'unauthorized'],
    ['a plain key classifies', ['a-key'], 'a-key', 'classify', id],
    ['a plain key does not administer', ['a-key'], 'a-key', 'admin', 'forbidden'],
    ['a plain key does not read metrics', ['a-key'], 'a-key', 'metrics', 'forbidden'],
    ['a scope', ['admin=a-key'], 'a-key', 'admin', id],
    ['only that scope', ['admin=a-key'], 'a-key', 'classify', 'forbidden'],
    ['the scope is no part of the key', ['admin=a-key'], 'admin=a-key', 'admin', 'unauthorized'],
    ['feedback is a scope', ['feedback=a-key'], 'a-key', 'feedback', id],
    ['feedback does not classify', ['feedback=a-key'], 'a-key', 'classify', 'forbidden'],
    ['no keys: feedback is open', [], undefined, 'feedback', 'open'],
    ['two scopes', ['admin+metrics=a-key'], 'a-key', 'metrics', id],
    ['a digest with a scope', [`admin=sha256:${sha256('a-key')}`], 'a-key', 'admin', id],
    ['given twice: both scopes', ['a-key', `admin=sha256:${sha256('a-key')}`], 'a-key', 'admin', id],
    ['what is no scope belongs to the key', ['root=a-key'], 'root=a-key', 'classify', sha256('root=a-key').slice(0, 8)],
  ])('%s', (_, keys, key, scope, expected) => {
    expect(outcome(keys, key, scope)).toBe(expected);
  });

  it.each([
    'sha256:zz',
    'sha256:',
    `sha256:${'a'.repeat(63)}`,
    `admin=sha256:${'a'.repeat(65)}`,
    `sha256:${'g'.repeat(64)}`,
  ])('refuses %s', (text) => {
    expect(() => parseApiKeys([text])).toThrow(/64 hex digits/);
  });
});

describe('a file of keys', () => {
  const INTERVAL = 1000;
  let directory: string;
  let path: string;
  let lines: string[];
  let keyring: Keyring | undefined;

  beforeEach(() => {
    vi.useFakeTimers();
    directory = mkdtempSync(join(tmpdir(), 'duoguard-keys-'));
    path = join(directory, 'keys');
    lines = [];
  });
  afterEach(() => {
    keyring?.close();
    keyring = undefined;
    vi.useRealTimers();
    rmSync(directory, { recursive: true });
  });

  function open(fixed: readonly string[] = []) {
    keyring = openKeyring({
      fixed,
      file: path,
      logger: createLogger('info', { write: (line: string) => lines.push(line) }),
      intervalMs: INTERVAL,
    });
    const authorize = createAuthorize(() => (keyring as Keyring).current);
    return (key: string, scope: Scope = 'classify') =>
      attempt(() => (authorize(new Headers({ 'x-api-key': key }), scope) ? 'yes' : 'open'));
  }

  it('adds to the keys of the setting; comments and empty lines do not count', () => {
    writeFileSync(path, `# gateway\r\nfirst-key\r\n\r\n  admin=sha256:${sha256('second-key')}\n`);
    const ask = open(['fixed-key']);
    expect(['fixed-key', 'first-key', '# gateway', ''].map((key) => ask(key))).toEqual([
      'yes',
      'yes',
      'unauthorized',
      'unauthorized',
    ]);
    expect(ask('second-key', 'admin')).toBe('yes');
  });

  it('is read again: the new key counts, the old one no longer does', () => {
    writeFileSync(path, 'old-key\n');
    const ask = open();
    writeFileSync(path, 'new-key\n');
    expect([ask('old-key'), ask('new-key')]).toEqual(['yes', 'unauthorized']);
    vi.advanceTimersByTime(INTERVAL);
    expect([ask('old-key'), ask('new-key')]).toEqual(['unauthorized', 'yes']);
    expect(lines.join('')).toContain(sha256('new-key').slice(0, 8));
    expect(lines.join('')).not.toContain('new-key');
  });

  it('notices what a symbolic link swaps in', () => {
    writeFileSync(join(directory, 'a'), 'old-key');
    writeFileSync(join(directory, 'b'), 'new-key');
    symlinkSync('a', path);
    const ask = open();
    symlinkSync('b', join(directory, 'next'));
    renameSync(join(directory, 'next'), path);
    vi.advanceTimersByTime(INTERVAL);
    expect(ask('new-key')).toBe('yes');
  });

  it.each([
    ['is empty', () => writeFileSync(path, '')],
    ['has only comments', () => writeFileSync(path, '# all gone\n')],
    ['has a broken digest', () => writeFileSync(path, 'new-key\nsha256:zz\n')],
    ['is gone', () => rmSync(path)],
  ])('keeps the old keys while the file %s, says so once, and recovers', (_, damage) => {
    writeFileSync(path, 'old-key\n');
    const ask = open();
    damage();
    vi.advanceTimersByTime(5 * INTERVAL);
    expect([ask('old-key'), ask('new-key'), ask('')]).toEqual(['yes', 'unauthorized', 'unauthorized']);
    expect(lines.filter((line) => line.includes('"level":"error"'))).toHaveLength(1);
    writeFileSync(path, 'new-key\n');
    vi.advanceTimersByTime(INTERVAL);
    expect([ask('old-key'), ask('new-key')]).toEqual(['unauthorized', 'yes']);
  });

  it.each([
    ['missing', undefined],
    ['empty', '\n'],
  ])('does not start with a file that is %s', (_, text) => {
    if (text !== undefined) writeFileSync(path, text);
    expect(() => open()).toThrow(/api_keys_file/);
  });
});
