import type { GameReport, RoundReport } from '../report.ts';
import { type Content, html, type Markup } from './markup.ts';
import { percent, points } from './numbers.ts';
import { table } from './table.ts';

const ENDS = {
  rounds: 'all rounds are played',
  patience: 'held-out AUPRC no longer rose',
  gap: 'the best-response gap no longer shrank',
} as const;

/** What came of the game, on one screen. */
export function overview(report: GameReport): Markup {
  const { rounds } = report;
  const [first, last] = [rounds[0]!, rounds.at(-1)!];
  const [before, after] = [successOf(report, last.round, 0), successOf(report, last.round, last.round)];
  const published = rounds.filter((round) => round.published?.checkpoint != null);
  const kept = rounds.reduce((sum, { attack }) => sum + total(attack?.kept ?? {}), 0);
  return html`<header>
<h1>Game ${report.id}</h1>
<p>${report.generator} against guardrail, ${last.round} ${last.round === 1 ? 'round' : 'rounds'} after the base; ${report.stopped === null ? 'the game goes on' : `ended because ${ENDS[report.stopped]}`}.</p>
<dl class="tiles">
${tile('Mean AUPRC', percent(last.meanAuprc), `${points(last.meanAuprc - first.meanAuprc)} since round 0`)}
${tile('Attack success', percent(after), before === null || after === null ? '' : `of the newest generator; ${percent(before)} against the guardrail of round 0`)}
${tile('Synthetic rows', kept.toLocaleString('en'), `beside ${total(report.base).toLocaleString('en')} of the base set`)}
${tile('Published', published.length === 0 ? 'none' : published.length, published.at(-1)?.published?.checkpoint ?? 'no guardrail passed the gate')}
</dl>
</header>`;
}

function tile(name: string, value: string | number, note: string): Markup {
  return html`<div><dt>${name}</dt><dd><strong>${value}</strong> <span>${note}</span></dd></div>`;
}

/** Whether each round's guardrail was published, and why not. */
export function publications(rounds: readonly RoundReport[]): Markup {
  return table({
    caption: 'The gate',
    columns: ['Round', 'Compared with', 'Decision', 'Reasons'],
    rows: rounds.flatMap(({ round, published }): (readonly Content[])[] =>
      published === null
        ? []
        : [
            [
              round,
              `round ${published.against}`,
              published.checkpoint === null ? 'not published' : `published as ${published.checkpoint}`,
              published.reasons.length === 0
                ? 'nowhere worse, better over all'
                : html`<ul>${published.reasons.map((reason) => html`<li>${reason}</li>`)}</ul>`,
            ],
          ],
    ),
  });
}

/** Attack success of the generator of one round against the guardrail of another. */
export function successOf({ rounds }: GameReport, generator: number, guardrail: number): number | null {
  const own = rounds
    .flatMap(({ encounters }) => encounters)
    .find((one) => one.generator === generator && one.guardrail === guardrail);
  return own?.success ?? null;
}

function total(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((sum, count) => sum + count, 0);
}
