import type { GameReport } from '../report.ts';
import { html, type Markup } from './markup.ts';
import { decimals, percent } from './numbers.ts';
import { table } from './table.ts';

/** Guardrails against later generators; nothing where the game did not look ahead. */
export function horizonSection({ rounds, config }: GameReport): Markup | null {
  const all = rounds.flatMap(({ horizons }) => horizons ?? []);
  if (all.length === 0) return null;
  const ordered = [...all].sort((a, b) => a.guardrail - b.guardrail || a.horizon - b.horizon);
  return html`<section><h2>Guardrails against later generators</h2>
<p>Up to ${config.evaluate.horizons} rounds ahead, on faithful rewritings of held-out seeds. Precision, recall and F1 compare the predicted with the true set of labels of each text, safe being one; KL is from the true to the predicted distribution of categories.</p>
${table({
  caption: 'By horizon',
  columns: [
    'Guardrail',
    'Generator',
    'Ahead',
    'Texts',
    ...LEVELS.flatMap((level) => MEASURES.map(([, name]) => `${name}, ${level}`)),
    'KL, nats',
  ],
  rows: ordered.map((own) => [
    own.guardrail,
    own.generator,
    own.horizon,
    own.texts,
    ...LEVELS.flatMap((level) => MEASURES.map(([key]) => percent(own[level]?.[key] ?? null))),
    decimals(own.kl),
  ]),
})}</section>`;
}

const LEVELS = ['category', 'group', 'binary'] as const;
const MEASURES = [
  ['precision', 'P'],
  ['recall', 'R'],
  ['f1', 'F1'],
] as const;
