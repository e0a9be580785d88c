import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createLanguageModel, meanBits, readLanguageModel } from '../../training/lexicon/language-model.ts';
import { learnLanguageModel } from '../../training/lexicon/learn-language-model.ts';
import { wordsOf } from '../../training/lexicon/words.ts';
import { temporaryDirectory } from '../support/fixture-checkpoint.ts';

/** The first text of twenty is held out. */
const TEXTS = ['unread', ...Array.from({ length: 8 }, () => 'the cat saw the dog'), 'a dog saw'];

describe('a language model', () => {
  const file = learnLanguageModel('en', TEXTS, [{ source: 'test', texts: TEXTS.length }]);
  const model = createLanguageModel(file);

  it('has the shares of words and pairs, to a sixteenth of a bit', () => {
    // 16 of 43 words are "the", and 0.05 of the rest of the weight is for its letters.
    expect(model.bits('the')).toBeCloseTo(-Math.log2((0.35 * 16) / 43 / 0.4), 0);
    expect(model.rank('the')).toBe(0);
    expect(model.rank('unread')).toBeUndefined();
    // After "the" half the words are "cat", after "dog" none is.
    expect(model.bitsAfter('the', 'cat')).toBeLessThan(model.bitsAfter('dog', 'cat') - 1.5);
    expect(2 ** -model.bitsAfter('the', 'cat')).toBeCloseTo(0.6 * 0.5 + (0.35 * 8) / 43, 1);
  });

  it('has finite bits for any word', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), fc.string({ unit: 'grapheme' }), (a, b) => {
        expect(model.bits(a)).toBeGreaterThanOrEqual(0);
        expect(Number.isFinite(model.bitsAfter(a, b))).toBe(true);
      }),
    );
    expect(meanBits(model, [])).toBeUndefined();
  });

  it('comes back from its file, and a file that is none is refused by name', () => {
    const directory = temporaryDirectory();
    writeFileSync(join(directory, 'en.model.json'), JSON.stringify(file));
    expect(readLanguageModel('en', directory).bits('cat')).toBe(model.bits('cat'));
    writeFileSync(join(directory, 'fr.model.json'), '{}');
    expect(() => readLanguageModel('fr', directory)).toThrow(/fr\.model\.json: not a language model/);
  });

  it('ships for four languages and prefers sentences of its own', () => {
    const sentences = {
      en: 'Where did you leave the key yesterday?',
      fr: 'Où as-tu laissé la clé hier ?',
      es: '¿Dónde dejaste la llave ayer?',
      de: 'Wo hast du gestern den Schlüssel gelassen?',
    };
    for (const lang of Object.keys(sentences)) {
      const shipped = readLanguageModel(lang);
      const bits = Object.entries(sentences).map(([of, text]) => ({
        of,
        bits: meanBits(shipped, wordsOf(text)) ?? 99,
      }));
      expect(bits.sort((a, b) => a.bits - b.bits)[0]?.of).toBe(lang);
      expect(bits[0]?.bits).toBeLessThan((bits[1]?.bits ?? 0) - 4);
    }
  });
});
