import { html, type Markup } from './markup.ts';

export interface HeatTable {
  readonly caption: string;
  readonly corner: string;
  readonly columns: readonly string[];
  readonly rows: readonly { readonly name: string; readonly values: readonly (number | null)[] }[];
  readonly format: (value: number) => string;
}

/** Shades that the style sheet has. */
const SHADES = 8;

/** A table whose cells are the darker the higher their value between 0 and the highest. */
export function heatTable({ caption, corner, columns, rows, format }: HeatTable): Markup {
  const known = rows.flatMap(({ values }) => values.filter((value) => value !== null));
  const highest = Math.max(...known, Number.MIN_VALUE);
  const shade = (value: number) => Math.min(SHADES - 1, Math.floor((value / highest) * SHADES));
  return html`<div class="scroll" tabindex="0" role="region" aria-label="${caption}"><table class="heat"><caption>${caption}</caption>
<thead><tr><th scope="col">${corner}</th>${columns.map((name) => html`<th scope="col">${name}</th>`)}</tr></thead>
<tbody>${rows.map(
    ({ name, values }) =>
      html`<tr><th scope="row">${name}</th>${values.map((value) =>
        value === null ? html`<td>–</td>` : html`<td class="h${shade(value)}">${format(value)}</td>`,
      )}</tr>`,
  )}</tbody></table></div>`;
}
