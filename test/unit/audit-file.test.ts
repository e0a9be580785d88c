import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type AuditFileOptions, openAuditFile } from '../../src/audit/audit-file.ts';

let directory: string;
let path: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'duoguard-audit-'));
  path = join(directory, 'audit.jsonl');
});
afterEach(() => rmSync(directory, { recursive: true }));

const open = (options: Partial<AuditFileOptions> = {}) =>
  openAuditFile({
    path,
    maxBytes: 1_000_000,
    maxFiles: 3,
    onError: () => {},
    onLost: () => {},
    retryMs: 5,
    ...options,
  });
const linesOf = (name = 'audit.jsonl') => readFileSync(join(directory, name), 'utf8').split('\n').slice(0, -1);

describe('the file of the audit log', () => {
  it('has every line once, in order, and only its owner may read it', async () => {
    const file = await open();
    const lines = Array.from({ length: 1000 }, (_, number) => `line ${number}`);
    for (const line of lines) file.append(line);
    await file.close();
    expect(linesOf()).toEqual(lines);
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });

  it('goes on where an earlier process ended', async () => {
    for (const line of ['first', 'second']) {
      const file = await open();
      file.append(line);
      await file.close();
    }
    expect(linesOf()).toEqual(['first', 'second']);
  });

  it('begins a new file before one grows too large, and keeps as many as it should', async () => {
    const file = await open({ maxBytes: 30 });
    // Three lines of 10 bytes to a file.
    const lines = Array.from({ length: 10 }, (_, number) => `line ${number} äx`.slice(0, 8));
    for (const line of lines) file.append(line);
    await file.close();
    expect(readdirSync(directory).sort()).toEqual(['audit.jsonl', 'audit.jsonl.1', 'audit.jsonl.2']);
    expect(['audit.jsonl.2', 'audit.jsonl.1', 'audit.jsonl'].flatMap((name) => linesOf(name))).toEqual(lines.slice(3));
    for (const name of readdirSync(directory)) expect(statSync(join(directory, name)).size).toBeLessThanOrEqual(30);
  });

  it('counts what the file had before', async () => {
    writeFileSync(path, `${'x'.repeat(27)}\n`);
    const file = await open({ maxBytes: 30 });
    file.append('new');
    await file.close();
    expect(linesOf()).toEqual(['new']);
    expect(linesOf('audit.jsonl.1')).toEqual(['x'.repeat(27)]);
  });

  it('takes a line that is larger than a file, and one file is enough', async () => {
    const file = await open({ maxBytes: 10, maxFiles: 1 });
    for (const line of ['short', 'x'.repeat(100), 'short']) file.append(line);
    await file.close();
    expect(readdirSync(directory)).toEqual(['audit.jsonl']);
    expect(linesOf()).toEqual(['short']);
  });

  it('keeps lines that cannot be written until they can', async () => {
    const errors: unknown[] = [];
    const file = await open({ maxBytes: 12, onError: (error) => errors.push(error) });
    // A directory stands where the full file should go.
    mkdirSync(`${path}.1`);
    mkdirSync(`${path}.2`);
    writeFileSync(join(`${path}.2`, 'x'), '');
    for (const line of ['line one', 'line two', 'line three']) file.append(line);
    await vi.waitFor(() => expect(errors.length).toBeGreaterThan(1));
    rmSync(`${path}.2`, { recursive: true });
    rmdirSync(`${path}.1`);
    await vi.waitFor(() => expect(linesOf()).toEqual(['line three']));
    await file.close();
    const all = ['audit.jsonl.2', 'audit.jsonl.1', 'audit.jsonl'].flatMap((name) => linesOf(name));
    expect(all.filter((line) => line !== '')).toEqual(['line one', 'line two', 'line three']);
  });

  it('says what is lost when it is closed and still cannot write', async () => {
    const lost = vi.fn();
    const file = await open({ maxBytes: 10, onLost: lost });
    mkdirSync(`${path}.1`);
    mkdirSync(`${path}.2`);
    writeFileSync(join(`${path}.2`, 'x'), '');
    for (const line of ['line one', 'line two', 'line three']) file.append(line);
    await file.close();
    expect(lost).toHaveBeenCalledExactlyOnceWith(2);
  });

  it('does not open in a directory that is not there', async () => {
    await expect(open({ path: join(directory, 'missing', 'audit.jsonl') })).rejects.toMatchObject({ code: 'ENOENT' });
  });
});
