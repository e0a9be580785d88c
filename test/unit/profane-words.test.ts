import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readProfaneWords } from '../../training/lexicon/profanity.ts';
import { createTranslator } from '../../training/lexicon/translator.ts';
import { temporaryDirectory } from '../support/fixture-checkpoint.ts';

/** Mild words stand for the published lists. */
function wordLists(): string {
  const directory = temporaryDirectory();
  writeFileSync(
    join(directory, 'ldnoobw.json'),
    JSON.stringify({ en: ['Darn', 'two words', 'b1n', 'ah'], fr: ['zut', 'flûte'] }),
  );
  writeFileSync(
    join(directory, 'surge_profanity.json'),
    JSON.stringify({
      en: [
        { text: 'blast', severity: 2 },
        { text: 'silly', severity: 1 },
      ],
    }),
  );
  return directory;
}

describe('profane words', () => {
  it('are single words in lower case that are severe enough', () => {
    expect(readProfaneWords(wordLists())).toEqual(
      new Map([
        ['en', ['blast', 'darn']],
        ['fr', ['flûte', 'zut']],
      ]),
    );
  });

  it('name the file that is missing or malformed', () => {
    const directory = wordLists();
    writeFileSync(join(directory, 'surge_profanity.json'), '{"en": ["word"]}');
    expect(() => readProfaneWords(directory)).toThrow(/surge_profanity\.json: not a word list/);
    expect(() => readProfaneWords(join(directory, 'none'))).toThrow(/ldnoobw\.json: not a word list/);
  });

  it('become some of the other language in most places, the same ones each time', () => {
    const translator = createTranslator('fr', 1, readProfaneWords(wordLists()));
    const text = Array.from({ length: 200 }, () => 'darn house').join(' ');
    const words = translator.translate(text).split(' ');
    const count = (word: string): number => words.filter((other) => other === word).length;
    expect(count('zut')).toBeGreaterThan(50);
    expect(count('flûte')).toBeGreaterThan(50);
    expect(count('darn')).toBeGreaterThan(10);
    expect(count('maison')).toBeGreaterThan(50);
    expect(translator.translate(text)).toBe(words.join(' '));
  });

  it('stay where no list has the language', () => {
    const translator = createTranslator('de', 1, readProfaneWords(wordLists()));
    expect(translator.translate('darn darn')).toBe('darn darn');
  });
});
