import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/**
 * Runs benchmarks one after another, each in a process of its own, so that none heats or fills the other's.
 *
 *   npm run bench                            all of them
 *   npm run bench -- tokenizer train         these
 *   npm run bench -- server --seconds 2      one, with flags of its own
 *
 * Exits with 1 when a benchmark failed or missed a bar.
 */

const SUFFIX = '.bench.ts';
const directory = fileURLToPath(new URL('.', import.meta.url));

const problem = main(process.argv.slice(2));
if (problem !== undefined) {
  process.stderr.write(`bench: ${problem}\n`);
  process.exitCode = 1;
}

/** Returns what went wrong, if anything did. */
function main(args: readonly string[]): string | undefined {
  const known = readdirSync(directory)
    .filter((file) => file.endsWith(SUFFIX))
    .map((file) => file.slice(0, -SUFFIX.length))
    .sort();
  const firstFlag = args.findIndex((arg) => arg.startsWith('-'));
  const named = firstFlag < 0 ? args : args.slice(0, firstFlag);
  const flags = firstFlag < 0 ? [] : args.slice(firstFlag);
  const unknown = named.filter((name) => !known.includes(name));
  if (unknown.length > 0) return `there is no benchmark ${unknown.join(', ')}; there are ${known.join(', ')}`;
  if (flags.length > 0 && named.length !== 1) return `${flags[0]} needs the name of one benchmark before it`;

  const failed = (named.length > 0 ? named : known).filter((name) => !succeeds(name, flags));
  return failed.length > 0 ? `failed or below its bar: ${failed.join(', ')}` : undefined;
}

function succeeds(name: string, flags: readonly string[]): boolean {
  process.stdout.write(`\n== ${name} ==\n`);
  const { status } = spawnSync(process.execPath, ['--import', 'tsx', `${directory}${name}${SUFFIX}`, ...flags], {
    stdio: 'inherit',
  });
  return status === 0;
}
