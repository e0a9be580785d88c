import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** The version of the nearest package.json above this module, which lies at another depth once it is built. */
export function readVersion(): string {
  for (let directory = import.meta.dirname; ; directory = dirname(directory)) {
    const path = join(directory, 'package.json');
    if (existsSync(path)) return String((JSON.parse(readFileSync(path, 'utf8')) as { version: unknown }).version);
    if (directory === dirname(directory)) throw new Error('package.json is missing');
  }
}
