import { readFileSync } from 'node:fs';
import type { GameReport } from '../report.ts';
import { benchmarkCurves, gameCurves, heldOutCurves } from './curves.ts';
import { horizonSection } from './horizons.ts';
import { html, Markup } from './markup.ts';
import { overview, publications } from './overview.ts';
import { crossRoundMatrix, filterTable, learningTable, levelCounts } from './round-tables.ts';
import { samples } from './samples.ts';

const STYLE = readFileSync(new URL('report.css', import.meta.url), 'utf8');

/** A report as one HTML file that needs nothing else. The same report gives the same bytes. */
export function renderReport(report: GameReport): string {
  const { rounds } = report;
  const benchmark = benchmarkCurves(report);
  const page = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>Game ${report.id}</title>
<style>${new Markup(STYLE)}</style>
</head>
<body>
${overview(report)}
<main>
<section><h2>By round and language</h2><div class="charts">${heldOutCurves(report)}</div></section>
${benchmark.length === 0 ? null : html`<section><h2>On the benchmark</h2><div class="charts">${benchmark}</div></section>`}
<section><h2>Generator against guardrail</h2>
<p>Share of faithful rewritings of held-out seeds that the guardrail gets wrong.</p>
${crossRoundMatrix(report)}
<div class="charts">${gameCurves(report)}</div></section>
${horizonSection(report)}
<section><h2>What each round did</h2>
${levelCounts(rounds)}
${filterTable(rounds)}
${learningTable(report)}
${publications(rounds)}</section>
<section><h2>Sample texts</h2>${samples(rounds)}</section>
<section><h2>Settings</h2>
<details><summary>All settings of the run</summary><pre tabindex="0">${JSON.stringify(report.config, null, 2)}</pre></details></section>
</main>
</body>
</html>
`;
  return page.text;
}
