// Run after `npm install`: adds to package-lock.json the optional packages of other platforms that npm left out.
//
//   node .ci/complete-lockfile.mjs
//
// `npm install` leaves out an optional package that its registry does not have (a mirror often has only one platform's),
// and `npm ci` of npm 11 then refuses the lock file that was just written ("Missing: ... from lock file"). Parents pin
// these packages to one version, and npm skips them where os or cpu differ, so version, os and cpu are all it needs.
// test/unit/lockfile.test.ts fails while one is missing.
import { readFileSync, writeFileSync } from 'node:fs';

const PLATFORM =
  /\b(?<os>aix|android|darwin|freebsd|linux|netbsd|openbsd|openharmony|sunos|win32)-(?<cpu>arm64|arm|ia32|loong64|mips64el|ppc64|riscv64|s390x|x64)(?:-(?<abi>\w+))?$/;

const path = new URL('../package-lock.json', import.meta.url);
const lock = JSON.parse(readFileSync(path, 'utf8'));
const added = {};
for (const [parent, { optionalDependencies = {}, dev }] of Object.entries(lock.packages)) {
  for (const [name, version] of Object.entries(optionalDependencies)) {
    const location = `node_modules/${name}`;
    if (location in lock.packages || `${parent}/${location}` in lock.packages) continue;
    added[location] = { version, ...platformOf(name), ...(dev ? { dev } : {}), optional: true };
  }
}
const entries = Object.entries({ ...lock.packages, ...added }).sort(([a], [b]) => a.localeCompare(b, 'en'));
writeFileSync(path, `${JSON.stringify({ ...lock, packages: Object.fromEntries(entries) }, null, 2)}\n`);
console.log(`${Object.keys(added).length} packages added`);

function platformOf(name) {
  if (name.includes('wasm32')) return { cpu: ['wasm32'] };
  const platform = PLATFORM.exec(name)?.groups;
  if (platform === undefined) throw new Error(`cannot tell for which platform ${name} is`);
  const libc = platform.os === 'linux' && platform.abi ? { libc: [/musl/.test(platform.abi) ? 'musl' : 'glibc'] } : {};
  return { cpu: [platform.cpu], os: [platform.os], ...libc };
}
