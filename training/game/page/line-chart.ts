import { type Content, html, type Markup } from './markup.ts';
import { niceTicks, spread } from './scale.ts';

export interface Series {
  readonly name: string;
  /** Fixes colour and marker, the same for a language in every chart; undefined for a mean or a single curve. */
  readonly slot?: number | undefined;
  /** By x; `null` where there is no value. */
  readonly values: readonly (number | null)[];
}

export interface LineChart {
  readonly title: string;
  /** What is good, and what the numbers are of. */
  readonly note: string;
  /** Number of the first round. */
  readonly from: number;
  readonly series: readonly Series[];
  readonly format: (value: number) => string;
  /** For the axis, whose values are round. */
  readonly formatTick?: (value: number) => string;
  /** The axis includes 0. */
  readonly zero?: boolean;
}

/** Colours that the style sheet has; further series begin them again with dashed lines. */
const COLOURS = 8;
const WIDTH = 400;
const HEIGHT = 236;
const PLOT = { left: 54, right: 330, top: 12, bottom: 206 } as const;
const LABEL_GAP = 14;

/** Curves over rounds, each named at its end, and the same numbers as a table behind a click. */
export function lineChart(chart: LineChart): Markup {
  const { title, note, series, from, formatTick = chart.format } = chart;
  const rounds = Math.max(0, ...series.map(({ values }) => values.length));
  const known = series.flatMap(({ values }) => values.filter((value) => value !== null));
  if (known.length === 0)
    return html`<figure class="chart"><figcaption>${title}</figcaption><p>No values.</p></figure>`;
  const low = Math.min(...known, ...(chart.zero ? [0] : []));
  const high = Math.max(...known, ...(chart.zero ? [0] : []));
  const ticks = niceTicks(low, high);
  const [bottom, top] = [ticks[0]!, ticks.at(-1)!];
  const x = (round: number) => PLOT.left + 8 + ((PLOT.right - PLOT.left - 16) * round) / Math.max(1, rounds - 1);
  const y = (value: number) => PLOT.bottom - ((PLOT.bottom - PLOT.top) * (value - bottom)) / (top - bottom);
  return html`<figure class="chart">
<figcaption><b>${title}</b> <span>${note}</span></figcaption>
<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${describe(chart)}">
${ticks.map((tick) => html`<line class="grid${tick === 0 ? ' zero' : ''}" x1="${PLOT.left}" x2="${PLOT.right}" y1="${at(y(tick))}" y2="${at(y(tick))}"/><text class="tick" x="${PLOT.left - 6}" y="${at(y(tick) + 4)}" text-anchor="end">${formatTick(tick)}</text>`)}
${roundTicks(rounds).map((round) => html`<text class="tick" x="${at(x(round))}" y="${PLOT.bottom + 20}" text-anchor="middle">${from + round}</text>`)}
${series.map((one) => curve(one, chart, x, y))}
${endLabels(series, x, y)}
</svg>
${figuresTable(chart, rounds)}
</figure>`;
}

/** Every round, or so few that their numbers keep apart. */
function roundTicks(rounds: number): readonly number[] {
  const step = Math.ceil(rounds / 12);
  return Array.from({ length: Math.ceil(rounds / step) }, (_, i) => i * step);
}

function curve(
  { name, slot, values }: Series,
  { from, format }: LineChart,
  x: (round: number) => number,
  y: (value: number) => number,
): Markup {
  const points = values.flatMap((value, round) => (value === null ? [] : [{ round, value }]));
  const path = points.map(({ round, value }, i) => {
    // A round without a value leaves a gap.
    const joined = i > 0 && points[i - 1]!.round === round - 1;
    return `${joined ? 'L' : 'M'}${at(x(round))} ${at(y(value))}`;
  });
  return html`<g class="${classOf(slot)}"><path d="${path.join('')}"/>${points.map(
    ({ round, value }) =>
      html`<g transform="translate(${at(x(round))} ${at(y(value))})">${marker(slot)}<title>${name}, round ${from + round}: ${format(value)}</title></g>`,
  )}</g>`;
}

/** Shapes tell curves apart where colours do not. */
function marker(slot: number | undefined): Markup {
  switch (slot === undefined ? 0 : slot % 4) {
    case 1:
      return html`<rect x="-3.5" y="-3.5" width="7" height="7"/>`;
    case 2:
      return html`<path class="mark" d="M0-5L4.6 3.5H-4.6Z"/>`;
    case 3:
      return html`<path class="mark" d="M0-5L5 0L0 5L-5 0Z"/>`;
    default:
      return html`<circle r="4"/>`;
  }
}

function endLabels(series: readonly Series[], x: (round: number) => number, y: (value: number) => number): Content {
  const ends = series.flatMap(({ name, slot, values }) => {
    const round = values.findLastIndex((value) => value !== null);
    return round < 0 ? [] : [{ name, slot, x: x(round), y: y(values[round]!) }];
  });
  const placed = spread(
    ends.map((end) => end.y),
    LABEL_GAP,
    PLOT.top,
    PLOT.bottom,
  );
  return ends.map(
    (end, i) =>
      html`<g class="${classOf(end.slot)}"><path class="leader" d="M${at(end.x + 5)} ${at(end.y)}L${PLOT.right + 8} ${at(placed[i]!)}"/><text class="end" x="${PLOT.right + 11}" y="${at(placed[i]! + 4)}">${end.name}</text></g>`,
  );
}

function classOf(slot: number | undefined): string {
  if (slot === undefined) return 'curve plain';
  return `curve c${slot % COLOURS}${slot >= COLOURS ? ' dashed' : ''}`;
}

function describe({ title, series, format }: LineChart): string {
  const parts = series.map(({ name, values }) => {
    const known = values.filter((value) => value !== null);
    return known.length === 0 ? `${name} none` : `${name} from ${format(known[0]!)} to ${format(known.at(-1)!)}`;
  });
  return `${title}: ${parts.join('; ')}`;
}

function figuresTable({ title, series, from, format }: LineChart, rounds: number): Markup {
  const numbers = Array.from({ length: rounds }, (_, round) => round);
  return html`<details><summary>Figures</summary><div class="scroll" tabindex="0" role="region" aria-label="${title}, figures"><table>
<thead><tr><th scope="col">Round</th>${numbers.map((round) => html`<th scope="col" class="number">${from + round}</th>`)}</tr></thead>
<tbody>${series.map(
    ({ name, values }) =>
      html`<tr><th scope="row">${name}</th>${numbers.map((round) => html`<td class="number">${values[round] == null ? '–' : format(values[round])}</td>`)}</tr>`,
  )}</tbody></table></div></details>`;
}

/** Coordinates with one decimal. */
function at(coordinate: number): string {
  return String(Math.round(coordinate * 10) / 10);
}
