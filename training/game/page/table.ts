import { type Content, html, type Markup } from './markup.ts';

export interface Table {
  readonly caption: string;
  readonly columns: readonly string[];
  /** Each row's first cell names it. */
  readonly rows: readonly (readonly Content[])[];
}

/** A table that scrolls sideways in a narrow window instead of widening the page. */
export function table({ caption, columns, rows }: Table): Markup {
  const numeric = columns.map((_, column) => column > 0 && rows.every((row) => isNumber(row[column] ?? null)));
  const classOf = (column: number) => (numeric[column] ? html` class="number"` : null);
  return html`<div class="scroll" tabindex="0" role="region" aria-label="${caption}"><table><caption>${caption}</caption>
<thead><tr>${columns.map((name, column) => html`<th scope="col"${classOf(column)}>${name}</th>`)}</tr></thead>
<tbody>${rows.map(([name = '', ...cells]) => html`<tr><th scope="row">${name}</th>${cells.map((cell, index) => html`<td${classOf(index + 1)}>${numberText(cell)}</td>`)}</tr>`)}</tbody></table></div>`;
}

function isNumber(cell: Content): boolean {
  return typeof cell === 'number' || (typeof cell === 'string' && /^([-−+]?\d[\d.,]*( %)?|–)$/.test(cell));
}

/** Whole numbers with their thousands apart. */
function numberText(cell: Content): Content {
  return typeof cell === 'number' ? cell.toLocaleString('en') : cell;
}
