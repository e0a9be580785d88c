import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** As somebody imports it who has installed the package: through `exports`, from what was built. */
it('duoguard/client is exported, with types, and brings nothing of the server with it', async () => {
  const { exports } = JSON.parse(readFileSync(`${root}package.json`, 'utf8'));
  expect(existsSync(`${root}${exports['./client'].types}`)).toBe(true);
  const script = `
    import { ClientError, createClient } from 'duoguard/client';
    const error = await createClient({ baseUrl: 'http://127.0.0.1:1' }).classify('text').catch((thrown) => thrown);
    console.log(error instanceof ClientError, error.code);`;
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script], { cwd: root });
  expect(stdout.trim()).toBe('true unreachable');
  expect(readFileSync(`${root}${exports['./client'].default}`, 'utf8')).not.toMatch(/^import /m);
});
