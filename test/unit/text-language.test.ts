import { readdirSync, readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { canonicalLanguage, loadLanguageDetector, loadSureLanguageDetector } from '../../src/text/language.ts';

const seeds = new URL('../../training/seeds/', import.meta.url);
const languages = readdirSync(seeds)
  .filter((file) => file.endsWith('.jsonl'))
  .map((file) => file.slice(0, 2));

function textsOf(language: string): string[] {
  const lines = readFileSync(new URL(`${language}.jsonl`, seeds), 'utf8')
    .trim()
    .split('\n');
  return lines.map((line) => (JSON.parse(line) as { text: string }).text).filter((_, index) => index % 4 === 0);
}

describe('the language of a text', () => {
  it.each(languages)('is told for the seeds in %s', async (language) => {
    const detect = await loadLanguageDetector();
    const texts = textsOf(language);
    const right = texts.filter((text) => detect(text) === language).length;
    expect(texts.length).toBeGreaterThan(50);
    // A fifth of the Hindi seeds are in Latin letters.
    expect(right / texts.length).toBeGreaterThan(language === 'hi' ? 0.75 : 0.9);
  });

  it('of most of a long text counts, not of its beginning', async () => {
    const detect = await loadLanguageDetector();
    const german = 'Der Hund des Nachbarn bellt die ganze Nacht und niemand kann schlafen. '.repeat(40);
    expect(detect(`The quick brown fox jumps over the dog. ${german}`)).toBe('de');
  });

  it.each(['', '   ', '12345', '!?', '\u{1f600}'])('cannot be told of %j', async (text) => {
    expect((await loadLanguageDetector())(text)).toBeUndefined();
  });

  it('is a code of two or three letters, or none, whatever the text', async () => {
    const detect = await loadLanguageDetector();
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 3000 }), (text) => {
        expect(detect(text) ?? 'none').toMatch(/^[a-z]{2,4}$/);
      }),
    );
  });

  it('is rarely wrong, of whatever length, for those who ask for sure ones', async () => {
    const detect = await loadSureLanguageDetector();
    const texts = languages.flatMap((language) => textsOf(language).map((text) => [language, text] as const));
    const told = texts.map(([language, text]) => [language, detect(text)] as const).filter(([, tells]) => tells);
    const wrong = told.filter(([language, tells]) => tells !== language);
    expect(told.length / texts.length).toBeGreaterThan(0.95);
    expect(wrong.length / told.length).toBeLessThan(0.01);
    for (const [, text] of texts) expect(detect(text.slice(0, 3))).toBeUndefined();
  });

  it.each([
    ['de-AT', 'de'],
    ['zh_Hant', 'zh'],
    ['EN', 'en'],
    ['ms', 'id'],
  ])('%s is %s', (tag, language) => {
    expect(canonicalLanguage(tag)).toBe(language);
  });
});
