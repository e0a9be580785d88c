import { type Content, html, type Markup } from './markup.ts';

export interface Table {
  readonly caption: string;
  readonly columns: readonly string[];
  /** Each row's first cell names it. */
  readonly rows: readonly (readonly Content[])[];
}

/** A table that scrolls sideways in a narrow window instead of widening the page. */
export function table({ caption, columns, rows }: Table): Markup {
  return html`<div class="scroll" tabindex="0" role="region" aria-label="${caption}"><table><caption>${caption}</caption>
<thead><tr>${columns.map((name) => html`<th scope="col">${name}</th>`)}</tr></thead>
<tbody>${rows.map(([name = '', ...cells]) => html`<tr><th scope="row">${name}</th>${cells.map((cell) => html`<td>${cell}</td>`)}</tr>`)}</tbody></table></div>`;
}
