import { describe, expect, it } from 'vitest';
import { separability } from '../../training/game/separability.ts';
import type { PreferencePair } from '../../training/generator/contract.ts';
import { seededRandom } from '../../training/random.ts';

const WORDS = 'the a small old green house river garden walks sings near under bread apple winter friend'.split(' ');

/** Pairs of random texts; `mark` may change the chosen side. */
function pairs(count: number, mark: (text: string, seed: number) => string, perSeed = 1): PreferencePair[] {
  const random = seededRandom(3);
  const text = () => Array.from({ length: 12 }, () => WORDS[Math.floor(random() * WORDS.length)]).join(' ');
  return Array.from({ length: count }, (_, i) => {
    const seed = Math.floor(i / perSeed);
    const id = `seed ${seed}`;
    const side = (own: string) => ({ seed: id, lang: 'en', text: own, logProbability: -1, choices: [] });
    const origin = { id, text: 'x', lang: 'en', unsafe: true, categories: null, source: 'toy' };
    return { task: { seed: origin, lang: 'en' }, chosen: side(mark(text(), seed)), rejected: side(text()) };
  });
}

describe('the separability probe', () => {
  it('is near one half where both sides come from one distribution', () => {
    const { accuracy, pairs: count } = separability(
      pairs(300, (text) => text),
      1,
    );
    expect(count).toBe(300);
    expect(accuracy).toBeGreaterThan(0.4);
    expect(accuracy).toBeLessThan(0.6);
  });

  it('finds a cue that one side has, whatever it is', () => {
    expect(
      separability(
        pairs(300, (text) => `${text} thanks`),
        1,
      ).accuracy,
    ).toBeGreaterThan(0.98);
    expect(
      separability(
        pairs(300, (text) => text.replaceAll('e', '3')),
        1,
      ).accuracy,
    ).toBeGreaterThan(0.98);
    const halfOfThem = separability(
      pairs(300, (text, seed) => (seed % 2 === 0 ? `${text} thanks` : text)),
      1,
    );
    expect(halfOfThem.accuracy).toBeGreaterThan(0.65);
    expect(halfOfThem.accuracy).toBeLessThan(0.85);
  });

  it('does not take what is special to a seed for a cue, as a seed is fitted on or held out whole', () => {
    // All that tells the sides apart are two words that each seed has for itself.
    const own = (number: number) => String.fromCharCode(0x4e00 + number).repeat(3);
    const marked = pairs(400, (text, seed) => `${text} ${own(seed)}`, 8).map((pair, i) => ({
      ...pair,
      rejected: { ...pair.rejected, text: `${pair.rejected.text} ${own(500 + Math.floor(i / 8))}` },
    }));
    const { accuracy } = separability(marked, 1);
    expect(accuracy).toBeLessThan(0.65);
  });

  it('needs seeds to hold out, and gives the same again', () => {
    expect(
      separability(
        pairs(20, (text) => text, 5),
        1,
      ),
    ).toEqual({ accuracy: null, pairs: 20 });
    expect(separability([], 1)).toEqual({ accuracy: null, pairs: 0 });
    const some = pairs(60, (text) => text);
    expect(separability(some, 1)).toEqual(separability(some, 1));
  });
});
