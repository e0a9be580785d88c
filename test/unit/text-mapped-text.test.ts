import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { applyEdits, compose, type Edit, unmapped } from '../../src/text/mapped-text.ts';

const original = 'say k.i.l.l and g0';
const mapped = applyEdits(original, [
  { start: 5, end: 6, text: '' },
  { start: 7, end: 8, text: '' },
  { start: 9, end: 10, text: '' },
  { start: 16, end: 18, text: 'go' },
]);

const source = (text: string, part: string, map = mapped) => {
  const at = map.text.indexOf(part);
  const { start, end } = map.toOriginalSpan(at, at + part.length);
  return text.slice(start, end);
};

describe('edits', () => {
  it('are applied, and what they made leads back', () => {
    expect(mapped.text).toBe('say kill and go');
    expect(source(original, 'kill')).toBe('k.i.l.l');
    expect(source(original, 'il')).toBe('i.l');
    expect(source(original, ' and')).toBe(' and');
    expect(source(original, 'o')).toBe('0');
    expect(mapped.toOriginalSpan(mapped.text.length, mapped.text.length)).toEqual({ start: 18, end: 18 });
  });

  it('of another length lead back as a whole', () => {
    const longer = applyEdits('x Zm9v y', [{ start: 2, end: 6, text: 'foo' }]);
    expect(longer.text).toBe('x foo y');
    expect(longer.toOriginalSpan(3, 4)).toEqual({ start: 2, end: 6 });
    expect(longer.toOriginalSpan(6, 7)).toEqual({ start: 7, end: 8 });
  });

  it('compose', () => {
    const upper = applyEdits(mapped.text, [{ start: 4, end: 8, text: 'hurt' }]);
    expect(source(original, 'hurt', compose(mapped, upper))).toBe('k.i.l.l');
    expect(compose(unmapped(original), mapped).toOriginalSpan(4, 8)).toEqual(mapped.toOriginalSpan(4, 8));
  });

  it('give spans that stay inside the text, in order, whatever is replaced by whatever', () => {
    const cuts = fc.uniqueArray(fc.nat(30), { maxLength: 10 }).map((at) => at.toSorted((a, b) => a - b));
    fc.assert(
      fc.property(
        fc.string({ minLength: 31 }),
        cuts,
        fc.array(fc.string({ maxLength: 4 })),
        (text, at, replacements) => {
          const edits: Edit[] = [];
          for (let i = 0; i + 1 < at.length; i += 2) {
            edits.push({ start: at[i] as number, end: at[i + 1] as number, text: replacements[i] ?? '' });
          }
          const result = applyEdits(text, edits);
          let last = 0;
          for (let unit = 0; unit < result.text.length; unit += 1) {
            const { start, end } = result.toOriginalSpan(unit, unit + 1);
            expect(start).toBeGreaterThanOrEqual(last);
            expect(end).toBeGreaterThan(start);
            expect(end).toBeLessThanOrEqual(text.length);
            const replaced = edits.some((edit) => edit.start < end && start < edit.end);
            if (!replaced) expect(text.slice(start, end)).toBe(result.text[unit]);
            last = start;
          }
        },
      ),
    );
  });
});
