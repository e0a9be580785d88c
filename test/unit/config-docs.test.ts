import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { defaultOf, helpText } from '../../src/config/help.ts';
import { flagOf, infoOf, SETTING_KEYS } from '../../src/config/settings.ts';

/** Rows of the table, by key: `| key | flag | variable | default | description |`. */
const rows = new Map(
  readFileSync(new URL('../../docs/configuration.md', import.meta.url), 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('| `'))
    .map((line) => line.split(' | ').map((cell) => cell.replace(/^\| | \|$/g, '')))
    .map((cells) => [cells[0]?.replaceAll('`', ''), cells] as const),
);

describe('docs/configuration.md', () => {
  it.each(SETTING_KEYS)('describes %s as the code has it', (key) => {
    expect(rows.get(key)).toEqual([
      `\`${key}\``,
      `\`${flagOf(key)}\``,
      `\`${infoOf(key).env}\``,
      `\`${defaultOf(key)}\``,
      infoOf(key).description,
    ]);
  });

  it('describes nothing else', () => {
    expect([...rows.keys()].sort()).toEqual([...SETTING_KEYS].sort());
  });
});

describe('--help', () => {
  it.each(SETTING_KEYS)('names %s', (key) => {
    expect(helpText()).toContain(flagOf(key));
    expect(helpText()).toContain(infoOf(key).description);
  });
});
