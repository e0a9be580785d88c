import { createHash } from 'node:crypto';
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { PolicyFileError } from './errors.ts';
import type { Policy } from './policy.ts';
import { policyFingerprint } from './policy-config.ts';

/**
 * A policy on disk: length of the header, header as JSON, the dense parameters and the table as float32, and a SHA-256
 * of it all. Replaced by rename after a flush, so that a kill at any moment leaves the file of before.
 */

interface Header {
  readonly format: 1;
  readonly fingerprint: string;
  readonly lengths: readonly [parameters: number, table: number];
}

const HASH_BYTES = 32;

/** Warmed up on translations by `npm run train -- generator`, so that a fresh clone can play at once. */
export const SHIPPED_POLICY = fileURLToPath(new URL('policy.bin', import.meta.url));

export function savePolicy(file: string, policy: Policy): void {
  const arrays = [policy.parameters.values, policy.table.values];
  const header: Header = {
    format: 1,
    fingerprint: policyFingerprint(policy.config),
    lengths: [arrays[0]!.length, arrays[1]!.length],
  };
  const head = Buffer.from(JSON.stringify(header));
  const size = Buffer.alloc(4);
  size.writeUInt32LE(head.length);
  const parts = [size, head, ...arrays.map((a) => new Uint8Array(a.buffer, a.byteOffset, a.byteLength))];
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  const beside = `${file}.next`;
  const handle = openSync(beside, 'w');
  try {
    for (const part of [...parts, hash.digest()]) {
      for (let written = 0; written < part.length; ) written += writeSync(handle, part, written);
    }
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
  renameSync(beside, file);
}

/** Throws `PolicyFileError` naming the file, and leaves the policy as it was, unless the file holds one of its shape. */
export function restorePolicy(file: string, policy: Policy): void {
  const bytes = readBytes(file);
  const headLength = bytes.length >= 4 ? bytes.readUInt32LE(0) : 0;
  const header = parseHeader(file, bytes.subarray(4, 4 + headLength).toString());
  const fingerprint = policyFingerprint(policy.config);
  if (header.fingerprint !== fingerprint) {
    throw new PolicyFileError(`${file} holds a policy of another shape: ${header.fingerprint}, not ${fingerprint}`);
  }
  const body = bytes.subarray(0, -HASH_BYTES);
  if (!createHash('sha256').update(body).digest().equals(bytes.subarray(-HASH_BYTES))) {
    throw new PolicyFileError(`${file} is damaged or cut short`);
  }
  let offset = 4 + headLength;
  for (const values of [policy.parameters.values, policy.table.values]) {
    new Uint8Array(values.buffer, values.byteOffset, values.byteLength).set(
      body.subarray(offset, offset + values.byteLength),
    );
    offset += values.byteLength;
  }
}

function readBytes(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (cause) {
    throw new PolicyFileError(`${file} cannot be read: ${(cause as Error).message}`, { cause });
  }
}

function parseHeader(file: string, text: string): Header {
  try {
    const header = JSON.parse(text) as Header;
    if (header.format === 1 && typeof header.fingerprint === 'string') return header;
  } catch {
    // Falls through to the error below.
  }
  throw new PolicyFileError(`${file} is not a policy`);
}
