import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { temporaryDirectory } from '../support/fixture-checkpoint.ts';
import { signOf } from '../support/fixture-model.ts';
import { startGuard } from '../support/guard-server.ts';

const policyFile = (action: string) => `
version: 1
policies:
  chat:
    default_action: ${action}
`;

/** Over a real port, with the server's own interval of looking. */
test('a changed policy file changes the answer, a broken one is refused with its line, and the metric counts both', async () => {
  const file = join(temporaryDirectory(), 'policies.yaml');
  writeFileSync(file, policyFile('block'));
  const { client, url, lines } = await startGuard({ policy_file: file });
  const action = async () => (await client.classify(signOf('hate'), { policy: 'chat' })).results[0]?.action;
  const reloads = async (result: string) => {
    const text = await (await fetch(`${url}/metrics`)).text();
    return Number(
      new RegExp(`^guardrail_policy_reloads_total\\{result="${result}"\\} (\\d+)$`, 'm').exec(text)?.[1] ?? 0,
    );
  };
  expect([await action(), await reloads('success'), await reloads('failure')]).toEqual(['block', 0, 0]);

  writeFileSync(file, policyFile('flag'));
  await vi.waitFor(async () => expect(await action()).toBe('flag'), 20_000);
  expect([await reloads('success'), await reloads('failure')]).toEqual([1, 0]);

  writeFileSync(file, policyFile('explode'));
  await vi.waitFor(async () => expect(await reloads('failure')).toBe(1), 20_000);
  const told = lines.map((line) => JSON.parse(line)).find(({ msg }) => msg === 'policies stay as they were');
  expect(JSON.stringify(told)).toContain(`${file}:5: policies.chat.default_action: `);
  expect([await action(), await reloads('success')]).toEqual(['flag', 1]);

  writeFileSync(file, policyFile('ignore'));
  await vi.waitFor(async () => expect(await action()).toBe('allow'), 20_000);
  expect([await reloads('success'), await reloads('failure')]).toEqual([2, 1]);
});
