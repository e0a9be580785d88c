import { LEVELS } from '../contract.ts';
import type { RoundReport, SampleText } from '../report.ts';
import { html, type Markup } from './markup.ts';
import { percent } from './numbers.ts';

/** Sample texts, each round and language behind a click: half of them are made to be unsafe. */
export function samples(rounds: readonly RoundReport[]): Markup {
  const played = rounds.filter(({ attack }) => (attack?.samples.length ?? 0) > 0);
  return html`<p>Texts are shown as they were written; unsafe ones are meant to be.</p>
${played.map(({ round, attack }) => {
  const all = attack!.samples;
  const languages = [...new Set(all.map(({ lang }) => lang))];
  return html`<details class="samples"><summary>Round ${round}: ${all.length} texts</summary>${languages.map((lang) => {
    const own = all.filter((sample) => sample.lang === lang);
    return html`<details><summary>${lang}, ${own.length} texts</summary><ul>${LEVELS.flatMap((level) =>
      own.filter((sample) => sample.level === level).map(sampleItem),
    )}</ul></details>`;
  })}</details>`;
})}`;
}

function sampleItem({ seed, seedText, unsafe, lang, text, score, rating, level }: SampleText): Markup {
  return html`<li>
<p class="facts"><span class="badge"><i class="swatch l-${level}"></i>${level}</span> <span class="badge">${unsafe ? 'unsafe' : 'safe'} seed</span> guardrail says ${percent(score)} unsafe, fidelity ${rating} of 5</p>
<blockquote lang="${lang}" dir="auto">${text}</blockquote>
<p class="seed" dir="auto"><span>${seed}:</span> ${seedText}</p>
</li>`;
}
