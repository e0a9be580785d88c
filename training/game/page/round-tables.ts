import { LEVELS, type Level } from '../contract.ts';
import type { GameReport, RoundReport } from '../report.ts';
import { heatTable } from './heat-table.ts';
import { html, type Markup } from './markup.ts';
import { decimals, percent } from './numbers.ts';
import { successOf } from './overview.ts';
import { table } from './table.ts';

/** Success of every generator (rows) against every guardrail (columns). */
export function crossRoundMatrix(report: GameReport): Markup {
  const rounds = report.rounds.map(({ round }) => round);
  return heatTable({
    caption: 'Attack success by round of generator and guardrail',
    corner: 'Generator',
    columns: rounds.map((round) => `Guardrail ${round}`),
    rows: rounds.map((generator) => ({
      name: `${generator}`,
      values: rounds.map((guardrail) => successOf(report, generator, guardrail)),
    })),
    format: (value) => percent(value),
  });
}

const LEVEL_MEANINGS: Readonly<Record<Level, string>> = {
  chosen: 'misclassified and faithful',
  rejected: 'correctly classified and faithful',
  unfaithful: 'misclassified, but the label is lost',
  unsure: 'the rest, which teach nobody',
};

/** Candidates by round, language and level: a bar with its counts beside it. */
export function levelCounts(rounds: readonly RoundReport[]): Markup {
  const legend = LEVELS.map(
    (level) => html`<li><i class="swatch l-${level}"></i>${level}: ${LEVEL_MEANINGS[level]}</li>`,
  );
  return html`<ul class="legend">${legend}</ul>
${table({
  caption: 'Candidates by level',
  columns: ['Round', 'Language', '', ...LEVELS],
  rows: rounds.flatMap(({ round, attack }) =>
    Object.entries(attack?.levels ?? {}).map(([lang, counts]) => [
      round,
      lang,
      levelBar(counts),
      ...LEVELS.map((level) => counts[level]),
    ]),
  ),
})}`;
}

function levelBar(counts: Readonly<Record<Level, number>>): Markup {
  const all = LEVELS.reduce((sum, level) => sum + counts[level], 0);
  let x = 0;
  const parts = LEVELS.map((level) => {
    const width = all === 0 ? 0 : (100 * counts[level]) / all;
    const part = html`<rect class="l-${level}" x="${x.toFixed(2)}" width="${width.toFixed(2)}" height="10"/>`;
    x += width;
    return part;
  });
  return html`<svg class="bar" viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">${parts}</svg>`;
}

/** What the generator learned in each round. */
export function learningTable({ rounds, config }: GameReport): Markup {
  return table({
    caption: 'What the generator learned',
    columns: ['Round', 'Pairs', 'Loss', 'Accuracy', 'Margin', 'Drift, nats', 'Separability'],
    rows: rounds.flatMap(({ round, attack }) => {
      if (attack === null) return [];
      const { learned, pairs, separability } = attack;
      const accuracy = learned === null ? '–' : percent(learned.accuracy);
      const figures = [decimals(learned?.loss), accuracy, decimals(learned?.margin), decimals(learned?.drift)];
      // Reports of earlier versions lack it.
      const told = separability?.accuracy ?? null;
      const warning = told !== null && told > config.pairs.separabilityLimit ? ' above the limit' : '';
      return [[round, pairs, ...figures, `${percent(told)}${warning}`]];
    }),
  });
}

/** Why candidates did not become training rows. */
export function filterTable(rounds: readonly RoundReport[]): Markup {
  const reasons = [...new Set(rounds.flatMap(({ attack }) => Object.keys(attack?.leftOut ?? {})))];
  return table({
    caption: 'Kept for the guardrail, and left out',
    columns: ['Round', 'Candidates', 'Kept', ...reasons],
    rows: rounds.flatMap(({ round, attack }) => {
      if (attack === null) return [];
      const left: Readonly<Record<string, number>> = { ...attack.leftOut };
      const kept = Object.values(attack.kept).reduce((sum, count) => sum + count, 0);
      return [[round, attack.candidates, kept, ...reasons.map((reason) => left[reason] ?? 0)]];
    }),
  });
}
