import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { ERRORS, type ErrorCode } from '../../src/errors.ts';

/** One section a code: `## code`, then the status, what happened and what to do. */
const sections = new Map(
  readFileSync(new URL('../../docs/errors.md', import.meta.url), 'utf8')
    .split(/^## /m)
    .slice(1)
    .map((section) => [section.slice(0, section.indexOf('\n')).trim(), section] as const),
);

describe('docs/errors.md', () => {
  it.each(Object.keys(ERRORS) as ErrorCode[])('explains %s as the catalogue has it', (code) => {
    const section = sections.get(code);
    expect(section).toContain(`Status ${ERRORS[code].status}.`);
    expect(section).toContain(ERRORS[code].message);
    expect(section).toContain(ERRORS[code].whatToDo);
  });

  it('explains nothing else', () => {
    expect([...sections.keys()].sort()).toEqual(Object.keys(ERRORS).sort());
  });
});
