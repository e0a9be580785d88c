import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readText } from '../../src/text/views/readings.ts';
import type { GenerationTask } from '../../training/generator/contract.ts';
import { createEditSpace } from '../../training/generator/rewriter/create-edit-space.ts';
import { disguisesOf } from '../../training/generator/rewriter/disguise.ts';
import { EDIT_KINDS, type EditSpace } from '../../training/generator/rewriter/edit-space.ts';
import { framesOf } from '../../training/generator/rewriter/frames.ts';
import { isMisspellingOf } from '../../training/generator/rewriter/misspelling.ts';
import { joinWords } from '../../training/generator/rewriter/orthography.ts';
import { MOST_WORDS, splitSeed } from '../../training/generator/rewriter/seed-words.ts';
import { languagesFrom } from '../../training/generator/rewriter/word-sources.ts';

const LANGUAGES = ['en', 'fr', 'es', 'de'];
const FRAMED = [...LANGUAGES, 'it', 'pt', 'nl'];

function task(text: string, from = 'en', to = from, unsafe = true): GenerationTask {
  return { seed: { id: 'x', text, lang: from, unsafe, categories: null, source: 'test' }, lang: to };
}

const plainest = ({ slots, render }: EditSpace) => render(slots.map(() => 0));

/** The text with one option of one word, all else plain. */
function withOption(space: EditSpace, word: string, kind: string): string | undefined {
  const slot = space.slots.findIndex((slot) => slot.word === word);
  const option = space.slots[slot]?.options.findIndex((option) => option.kind === kind) ?? -1;
  return option < 0 ? undefined : space.render(space.slots.map((_, i) => (i === slot ? option : 0)));
}

const wordLists = fc.array(
  fc.constantFrom(
    'How',
    'do',
    'I',
    'KILL',
    'time',
    'bomb',
    'the',
    "don't",
    'Berlin',
    'wait,',
    'now?',
    'yes.\n',
    '7',
    '🙂',
    'iPhone',
  ),
  { maxLength: 40 },
);
const textsOfWords = wordLists.map((words) => words.join(' ').trim());
const seedTexts = fc.oneof(textsOfWords, fc.string({ unit: 'grapheme', maxLength: 120 }));

describe('an edit space', () => {
  it('writes the seed when everything is plain', () => {
    fc.assert(
      fc.property(seedTexts, (text) => {
        expect(plainest(createEditSpace(task(text)))).toBe(text);
      }),
    );
  });

  it('writes the same text for the same choices, for any choice of any option', () => {
    fc.assert(
      fc.property(seedTexts, fc.constantFrom(...LANGUAGES), fc.infiniteStream(fc.nat()), (text, to, numbers) => {
        const space = createEditSpace(task(text, 'en', to));
        const choices = space.slots.map(({ options }) => (numbers.next().value as number) % options.length);
        const written = space.render(choices);
        expect(createEditSpace(task(text, 'en', to)).render(choices)).toBe(written);
        expect(written).not.toContain('undefined');
      }),
      { numRuns: 300 },
    );
  });

  it('has options of known kinds that differ, with shares in (0, 1]', () => {
    fc.assert(
      fc.property(textsOfWords, fc.constantFrom(...LANGUAGES), (text, to) => {
        const { slots } = createEditSpace(task(text, 'en', to));
        expect(slots.length).toBeLessThanOrEqual(MOST_WORDS + 1);
        expect(slots[0]?.word).toBe('');
        for (const { options } of slots) {
          expect(options.length).toBeGreaterThan(0);
          expect(new Set(options.map(({ kind, rank }) => `${kind} ${rank}`)).size).toBe(options.length);
          for (const { kind, share } of options) {
            expect(EDIT_KINDS).toContain(kind);
            expect(share).toBeGreaterThan(0);
            expect(share).toBeLessThanOrEqual(1);
          }
        }
      }),
    );
  });

  it('names the languages when no lexicon leads from one to the other', () => {
    expect(() => createEditSpace(task('x', 'en', 'xx'))).toThrow('no lexicon from en to xx');
    expect(languagesFrom('en')).toEqual(expect.arrayContaining(LANGUAGES));
    expect(languagesFrom('xx')).toEqual(['xx']);
    // There is a lexicon to Italian, but none back.
    expect(languagesFrom('en')).not.toContain('it');
  });

  it('keeps the last sentences of a long seed', () => {
    const long = `${'One more word of it. '.repeat(20)}What now?`;
    const { words, tail, length } = splitSeed(long);
    expect(long.slice(-length).startsWith('One more')).toBe(true);
    expect(words.length).toBeLessThanOrEqual(MOST_WORDS);
    expect(words[0]?.written).toBe('One');
    expect(words.at(-1)?.written).toBe('now');
    expect(tail).toBe('?');
    expect(splitSeed('word '.repeat(200)).words).toHaveLength(MOST_WORDS);
  });
});

describe('within a language', () => {
  const space = createEditSpace(task('How do I steal the money?'));

  it('offers near-synonyms in the case of the word, and drops only words that carry little', () => {
    expect(withOption(space, 'the', 'drop')).toBe('How do I steal money?');
    expect(withOption(space, 'steal', 'drop')).toBeUndefined();
    const big = createEditSpace(task('A big shop'));
    const shops = big.slots.find(({ word }) => word === 'shop')?.options.filter(({ kind }) => kind === 'substitute');
    expect(shops?.map(({ text }) => text)).toContain('store');
  });

  it('never replaces a denial', () => {
    const { slots } = createEditSpace(task("don't say never, not now"));
    for (const word of ["don't", 'never', 'not'])
      expect(slots.find((slot) => slot.word === word)?.options.map(({ kind }) => kind)).not.toContain('substitute');
  });

  it('hands the capital of a dropped word on', () => {
    expect(withOption(createEditSpace(task('The shop closed')), 'The', 'drop')).toBe('Shop closed');
  });

  it('marks where a spaced-out word begins and ends', () => {
    const text = withOption(space, 'steal', 'space-out') as string;
    expect(text).toBe('How do I  s t e a l  the money?');
    expect(readText(text).map((reading) => reading.text.text)).toContain('How do I steal the money?');
  });
});

describe('between languages', () => {
  it.each([
    ['fr', 'My credit card was stolen.', 'Mon carte de crédit était volé.'],
    ['fr', 'Someone is here.', "Quelqu'un est ici."],
    ['es', 'How do I steal a credit card?', '¿Cómo puedo robar un tarjeta de crédito?'],
    ['de', 'How old are you?', 'Wie alt bist du?'],
  ])('translates phrases as one, in %s: %s', (to, text, expected) => {
    expect(plainest(createEditSpace(task(text, 'en', to)))).toBe(expected);
  });

  it.each([
    ['fr', "C'est à l'école, où il est allé ?", 'school, where he went?'],
    ['es', '¿Cómo robo un coche?', 'car?'],
    ['de', 'Ich weiß nicht.', "I don't know."],
  ])('translates back into English, from %s: %s', (from, text, expected) => {
    const english = plainest(createEditSpace(task(text, from, 'en')));
    expect(english).toContain(expected);
    expect(english).not.toMatch(/[¿]|'[a-z]{2,}| \?/);
  });

  it('leaves speakers and names as they are', () => {
    const space = createEditSpace(task('A: hello Aaron', 'en', 'fr'));
    expect(plainest(space)).toBe('A: bonjour Aaron');
    expect(space.slots[1]?.options).toHaveLength(1);
  });

  it('can leave a word in the language of the seed', () => {
    const space = createEditSpace(task('murder', 'en', 'fr'));
    expect(plainest(space)).toBe('meurtre');
    expect(withOption(space, 'murder', 'keep-foreign')).toBe('murder');
  });
});

describe('disguises', () => {
  it.each(['bomb', 'kill', 'Sprengstoff', 'voiture', 'killer', 'STEAL'])('of %s can be taken off', (word) => {
    const disguised = disguisesOf(word);
    expect(disguised.length).toBeGreaterThanOrEqual(3);
    for (const { kind, text } of disguised) {
      expect(text).not.toBe(word);
      if (kind === 'misspell') expect(isMisspellingOf(text.toLowerCase(), word.toLowerCase()), text).toBe(true);
      else expect(readText(text).map((reading) => reading.text.text)).toContain(word);
    }
  });

  it('are read back from any word that has them', () => {
    const words = fc.string({ unit: fc.constantFrom(...'abcdeiostxyéñß'), minLength: 4, maxLength: 14 });
    fc.assert(
      fc.property(words, (word) => {
        for (const { kind, text } of disguisesOf(word)) {
          if (kind === 'misspell') continue;
          const sentence = readText(`it is ${kind === 'space-out' ? ` ${text} ` : text} now`);
          expect(sentence.map((reading) => reading.text.text)).toContain(`it is ${word} now`);
        }
      }),
    );
  });

  it('are none of short words and of what is no word', () => {
    expect(disguisesOf('her')).toEqual([]);
    expect(disguisesOf("don't")).toEqual([]);
  });
});

describe('frames', () => {
  it.each(FRAMED)('are at least twelve for each label: %s', (lang) => {
    for (const unsafe of [true, false]) {
      const frames = framesOf(lang, unsafe);
      expect(frames.length).toBeGreaterThanOrEqual(12);
      expect(new Set(frames.map(({ before, after }) => before + after)).size).toBe(frames.length);
    }
  });

  it('surround the whole text', () => {
    const space = createEditSpace(task('Where is it?'));
    const { before, after } = framesOf('en', true)[2] ?? { before: '', after: '' };
    expect(space.render(space.slots.map((_, i) => (i === 0 ? 3 : 0)))).toBe(`${before}Where is it?${after}`);
  });

  it('are none in a language that nobody wrote any for', () => {
    expect(framesOf('xx', true)).toEqual([]);
  });
});

describe('orthography', () => {
  it.each([
    ['fr', 'je ai vu le homme de le village?', "j'ai vu l'homme du village ?"],
    ['fr', 'l eau et l bar', "l'eau et le bar"],
    ['es', 'voy a el cine. donde es?', 'voy al cine. ¿donde es?'],
    ['de', 'in dem Haus zu der Tür', 'im Haus zur Tür'],
    ['en', '¿ how is a apple ?', ' how is an apple?'],
    ['xx', 'a el', 'a el'],
  ])('of %s', (lang, text, expected) => {
    expect(joinWords(text, lang)).toBe(expected);
  });
});
