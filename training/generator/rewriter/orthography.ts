/** How words of a language join, as replacements in order. */
type Rules = readonly (readonly [RegExp, string | ((...parts: string[]) => string)])[];

const START = "(?<![\\p{L}\\p{M}\\p{N}’'])";
/** A word of at least two letters that begins with a vowel: single letters may be a spaced-out word's. */
const VOWEL = '[aeiouyàâäéèêëîïôöùûüœæ]\\p{L}|[ay] \\p{L}{2}';

/** Of the common French words with h, those that elide. */
const MUTE_H = 'h(?:omme|eure|istoire|ôpita|ôtel|erbe|uile|abit|umain|umeur|onneur|oraire|ier|iver|éroïne|ameçon)';

const FULL_FORMS: Readonly<Record<string, string>> = {
  l: 'le',
  d: 'de',
  qu: 'que',
  j: 'je',
  n: 'ne',
  s: 'se',
  m: 'me',
  t: 'te',
  c: 'ce',
  jusqu: 'jusque',
  lorsqu: 'lorsque',
  puisqu: 'puisque',
};

/**
 * Word-by-word translations break what a language writes together: French elision (`le eau`, `l eau`), contractions (`de
 * le`, `in dem`), blanks before French question marks, opening marks of Spanish.
 */
const RULES: Readonly<Record<string, Rules>> = {
  fr: [
    [new RegExp(`${START}(quelqu|aujourd) (?=une?(?!\\p{L})|hui)`, 'giu'), "$1'"],
    [new RegExp(`${START}(l|d|qu|j|n|s|m|t|c|jusqu|lorsqu|puisqu) (?=${VOWEL}|${MUTE_H})`, 'giu'), "$1'"],
    [new RegExp(`${START}(l|d|j|n|s|m|t)(?:e|a) (?=${VOWEL}|${MUTE_H})`, 'giu'), "$1'"],
    [new RegExp(`${START}qu(?:e|i) (?=(?:il|elle|on|un)s?(?![\\p{L}\\p{M}]))`, 'giu'), "qu'"],
    [new RegExp(`${START}(l|d|qu|j|n|s|m|t|c|jusqu|lorsqu|puisqu)(?= \\p{L}{2})`, 'giu'), (form) => fullForm(form)],
    [new RegExp(`${START}de le(?= \\p{L})`, 'giu'), 'du'],
    [new RegExp(`${START}de les(?= \\p{L})`, 'giu'), 'des'],
    [new RegExp(`${START}à le(?= \\p{L})`, 'giu'), 'au'],
    [new RegExp(`${START}à les(?= \\p{L})`, 'giu'), 'aux'],
    [/(?<=[\p{L}\p{N}"»)])([?!;])(?=\s|$)/gu, ' $1'],
  ],
  es: [
    [new RegExp(`${START}de el(?= \\p{L})`, 'giu'), 'del'],
    [new RegExp(`${START}a el(?= \\p{L})`, 'giu'), 'al'],
    [/(?<=^|[.!?…]\s+|\n)(?=[^.!?…\n¿]+\?)(["'«(]*)/gu, '$1¿'],
    [/(?<=^|[.!?…]\s+|\n)(?=[^.!?…\n¡]+!)(["'«(]*)/gu, '$1¡'],
  ],
  de: [
    [
      new RegExp(`${START}(in|an|zu|von|bei) dem(?= \\p{L})`, 'giu'),
      (_, word = '') => GERMAN[word.toLowerCase()] ?? word,
    ],
    [new RegExp(`${START}zu der(?= \\p{L})`, 'giu'), 'zur'],
  ],
  en: [
    [/\s+(?=[?!;:,](?:\s|$))/gu, ''],
    [/[¿¡]/gu, ''],
    [new RegExp(`${START}a (?=[aeio])`, 'giu'), 'an '],
  ],
  it: [[new RegExp(`${START}(l|un|d|dell|all|nell|sull|dall|quell|c) (?=${VOWEL}|h\\p{L})`, 'giu'), "$1'"]],
};

const GERMAN: Readonly<Record<string, string>> = { in: 'im', an: 'am', zu: 'zum', von: 'vom', bei: 'beim' };

function fullForm(form: string): string {
  const full = FULL_FORMS[form.toLowerCase()] ?? form;
  return form[0] + full.slice(1);
}

/** Mends the joints of a text that was translated word by word. */
export function joinWords(text: string, lang: string): string {
  let result = text;
  for (const [pattern, replacement] of RULES[lang] ?? []) result = result.replace(pattern, replacement as string);
  return result;
}
