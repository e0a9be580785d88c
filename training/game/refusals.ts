/** How texts begin that decline to do what was asked, in the languages of the game. */
const REFUSALS: readonly RegExp[] = [
  /^(i['’]?m |i am )?(very |so )?sorry,? (but )?(i |as an)/iu,
  /^(as an ai|i (cannot|can['’]?t|can not|won['’]?t|will not|am unable to|am not able to) (help|assist|do|write|provide|create|comply|rewrite|translate))/iu,
  /^(je suis |je regrette|désolée?,)?.{0,12}(désolée?|je ne peux pas (vous )?(aider|écrire|fournir|traduire)|en tant qu['’]ia)/iu,
  /^(lo siento|lo lamento|no puedo (ayudar|escribir|proporcionar|traducir)|como (una )?(ia|inteligencia artificial))/iu,
  /^(es tut mir leid|tut mir leid|leider kann ich|ich kann (dir |ihnen )?(dabei |das |damit )?nicht (helfen|schreiben|übersetzen)|als ki\b)/iu,
];

export function isRefusal(text: string): boolean {
  const start = text.trimStart().slice(0, 120);
  return REFUSALS.some((refusal) => refusal.test(start));
}
