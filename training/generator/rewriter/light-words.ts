/**
 * The commonest words of a language that carry little: a text without them still says the same. No word that denies, asks
 * or names a person's part.
 */
const LIGHT_WORDS: Readonly<Record<string, string>> = {
  en: 'a an the of to and that which is are was were be been am it its this these those there here so just really very please also then than well some any do does did has have had would could should will shall can may might as at by in on for with from into about like',
  fr: 'le la les l un une des du de d et que qu qui ce cet cette ces c est sont était y en il se s à au aux dans sur pour par avec très bien donc alors aussi plus tout ça cela va fait être avoir a ai as ont',
  es: 'el la los las un una unos unas de del y que es son era está están se lo le les a al en por para con muy bien pues entonces también más todo esto eso este esta ese esa ha he han hay ser estar',
  de: 'der die das den dem des ein eine einen einem einer eines und dass ist sind war waren es sich zu zum zur im in an am auf für mit von vom bei sehr mal doch ja so dann auch noch nur schon hat haben hatte wird werden kann bitte',
  it: 'il lo la i gli le l un una uno di del della dei e che è sono era si ci a al in per con molto bene allora anche più tutto questo questa ha ho hanno essere',
  pt: 'o a os as um uma de do da dos das e que é são era está se ao à em no na nos nas por para com muito bem então também mais tudo isso este esta há ser estar',
  nl: 'de het een en dat die is zijn was er zich te in op aan van voor met bij heel dan ook nog maar al heeft hebben wordt worden kan',
  pl: 'i w z na do że to się jest są był o za po od bardzo też już tak ten ta te być',
  ru: 'и в на с что это так к по за от же бы ли уже ещё вот очень быть',
  tr: 've bir bu da de ki için ile çok daha gibi olan var',
  id: 'yang dan di ke dari itu ini ada untuk dengan pada juga sudah akan sangat',
};

const sets = new Map(Object.entries(LIGHT_WORDS).map(([lang, words]) => [lang, new Set(words.split(' '))]));

export function carriesLittle(word: string, lang: string): boolean {
  return sets.get(lang)?.has(word) ?? false;
}

/** Words that turn a sentence into its opposite: never replaced by a near-synonym. */
const DENIALS = new Set(
  (
    "not no never none nothing nobody neither nor without don't doesn't didn't won't can't couldn't wouldn't shouldn't isn't aren't wasn't weren't " +
    'ne n pas non jamais rien aucun aucune personne sans ni no nunca nada nadie ningún ninguna sin nicht nein nie niemals nichts niemand kein keine keinen keiner keinem ohne'
  ).split(' '),
);

export function denies(word: string): boolean {
  return DENIALS.has(word);
}
