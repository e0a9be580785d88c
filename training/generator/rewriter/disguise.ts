import { applyEdits } from '../../../src/text/mapped-text.ts';
import { uncoverConfusables } from '../../../src/text/views/confusables.ts';
import { uncoverLeetspeak } from '../../../src/text/views/leetspeak.ts';
import { uncoverSpaced } from '../../../src/text/views/spaced.ts';
import type { Uncover } from '../../../src/text/views/view.ts';
import type { EditOption } from './edit-space.ts';

type Disguise = 'misspell' | 'space-out' | 'homoglyph' | 'leetspeak';

const SHORTEST = 4;

/** Latin letters and the Cyrillic ones that look like them. */
const HOMOGLYPHS = new Map(
  [...'aаeеoоcсpрxхyуiіsѕjј'].flatMap((c, i, all) => (i % 2 ? [] : [[c, all[i + 1] as string]])),
);
const LEETSPEAK = new Map([...'a4e3i1o0s5t7'].flatMap((c, i, all) => (i % 2 ? [] : [[c, all[i + 1] as string]])));

/**
 * The disguises of a written word, each a function of the word alone. Spaced, look-alike and leetspeak forms are given only
 * where the server's views read the word back; a spelling mistake they can't undo.
 */
export function disguisesOf(written: string): EditOption[] {
  const letters = [...written];
  if (letters.length < SHORTEST || !/^\p{L}+$/u.test(written)) return [];
  const forms: [Disguise, number, string][] = [
    ['misspell', 0, swapped(letters)],
    ['misspell', 1, shortened(letters)],
    ['space-out', 0, letters.join(' ')],
    ['homoglyph', 0, replaceInside(letters, HOMOGLYPHS)],
    ['leetspeak', 0, replaceInside(letters, LEETSPEAK)],
  ];
  return forms
    .filter(([kind, , text]) => text !== written && isReadBack(kind, text, written))
    .map(([kind, rank, text]) => ({ kind, rank, text, share: 1 }));
}

const VIEWS: Readonly<Record<Disguise, Uncover | undefined>> = {
  misspell: undefined,
  'space-out': uncoverSpaced,
  homoglyph: uncoverConfusables,
  leetspeak: uncoverLeetspeak,
};

function isReadBack(kind: Disguise, text: string, written: string): boolean {
  const uncover = VIEWS[kind];
  return uncover === undefined || applyEdits(text, uncover(text)).text === written;
}

/** Two letters inside the word change places: the middle ones, or the next that differ. */
function swapped(letters: readonly string[]): string {
  for (let step = 0; step < letters.length; step++) {
    const at = 1 + ((Math.floor(letters.length / 2) - 1 + step) % Math.max(1, letters.length - 2));
    const [first, second] = [letters[at], letters[at + 1]];
    if (second === undefined || first === second) continue;
    return [...letters.slice(0, at), second, first, ...letters.slice(at + 2)].join('');
  }
  return letters.join('');
}

/** Without the last vowel inside the word, or without the letter before the last. */
function shortened(letters: readonly string[]): string {
  let at = letters.length - 2;
  while (at > 1 && !/[aeiouyаеиоуы]/iu.test(letters[at] as string)) at--;
  if (at <= 1) at = letters.length - 2;
  return letters.toSpliced(at, 1).join('');
}

/** All but the first and last letter. */
function replaceInside(letters: readonly string[], table: ReadonlyMap<string, string>): string {
  const last = letters.length - 1;
  return letters.map((letter, i) => (i === 0 || i === last ? letter : (table.get(letter) ?? letter))).join('');
}
