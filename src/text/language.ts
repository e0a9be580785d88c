/** The main language of a text as an ISO 639-1 code, or undefined where that cannot be told. */
export type DetectLanguage = (text: string) => string | undefined;

/** Characters looked at. Telling takes 0.1 ms, and no longer for a long text than for this many. */
const MOST_CHARACTERS = 900;

/** By dictionary where a script has no spaces. */
const segmenter = new Intl.Segmenter('und', { granularity: 'word' });

/** Malay and Indonesian differ too little to be told apart by their letters. */
const SAME_LANGUAGE: Readonly<Record<string, string>> = { ms: 'id' };

/**
 * Fewest words of which the language may be sure. Of the seeds cut to 2, 3 and 5 words the identifier takes 23, 12 and
 * 4 in 100 for another language, and is sure of most of them: 17, 10 and 3 in 100 of what it is sure of are wrong.
 */
const FEWEST_WORDS = 4;

let loading: Promise<Identify> | undefined;

/** The language and whether the identifier is sure of it. */
type Identify = (text: string) => { readonly language: string | undefined; readonly sure: boolean };

/**
 * Loads the identifier, character n-grams of 60 languages, at the first call: 0.2 seconds and some 80 MB that only those
 * pay who need it. Of the 16 languages of the seed corpus it tells more than 99 in 100 texts; Hindi in Latin letters it
 * takes for something else.
 */
export async function loadLanguageDetector(): Promise<DetectLanguage> {
  const identify = await loadIdentifier();
  return (text) => identify(text).language;
}

/**
 * The same for those to whom a wrong language is worse than none: undefined too for a text of few words, and for one
 * that is almost as likely in another language. Of the seeds it tells 98 in 100, 4 in 1,000 of them wrongly.
 */
export async function loadSureLanguageDetector(): Promise<DetectLanguage> {
  const identify = await loadIdentifier();
  return (text) => {
    const { language, sure } = identify(text);
    return sure && hasWords(text, FEWEST_WORDS) ? language : undefined;
  };
}

function loadIdentifier(): Promise<Identify> {
  loading ??= import('eld/extrasmall').then(({ eld }) => (text) => {
    const result = eld.detect(excerpt(text));
    const language = result.language === '' ? undefined : canonicalLanguage(result.language);
    return { language, sure: result.isReliable() };
  });
  return loading;
}

/** `de-AT`, `de` and `DE` are `de`. Two codes that the identifier cannot tell apart become one. */
export function canonicalLanguage(tag: string): string {
  const primary = (tag.split(/[-_]/, 1)[0] as string).toLowerCase();
  return SAME_LANGUAGE[primary] ?? primary;
}

/** Beginning, middle and end of a long text, so that the language of a whole does not follow from its first words. */
function excerpt(text: string): string {
  if (text.length <= MOST_CHARACTERS) return text;
  const part = MOST_CHARACTERS / 3;
  const middle = (text.length - part) >> 1;
  return [text.slice(0, part), text.slice(middle, middle + part), text.slice(-part)].join('\n');
}

function hasWords(text: string, fewest: number): boolean {
  let words = 0;
  for (const { isWordLike } of segmenter.segment(text)) {
    if (isWordLike && ++words === fewest) return true;
  }
  return false;
}
