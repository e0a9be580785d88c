import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';

interface LockedPackage {
  readonly version?: string;
  readonly optionalDependencies?: Record<string, string>;
}

/** What is missing makes `npm ci` refuse the file; `.ci/complete-lockfile.mjs` says why and adds it. */
it('the lock file has every optional package of every platform', () => {
  const lock = JSON.parse(readFileSync(new URL('../../package-lock.json', import.meta.url), 'utf8'));
  const packages = lock.packages as Record<string, LockedPackage>;
  const wanted = Object.entries(packages).flatMap(([parent, { optionalDependencies = {} }]) =>
    Object.keys(optionalDependencies).map((name) => ({ parent, name })),
  );
  expect(wanted.length).toBeGreaterThan(0);
  const missing = wanted.filter(
    ({ parent, name }) => !(`node_modules/${name}` in packages || `${parent}/node_modules/${name}` in packages),
  );
  expect(missing).toEqual([]);
});
