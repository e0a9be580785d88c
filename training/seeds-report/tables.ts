import { CATEGORIES } from '../../src/taxonomy.ts';
import { KINDS } from '../data/rows.ts';
import { type Cell, LENGTHS, type SeedsReport, sumCounts } from './report.ts';

/** The report as Markdown, for a terminal: summary, and every language, category, kind and label. */
export function formatReport(report: SeedsReport): string {
  const { openings, cells } = report;
  const details = report.languages.flatMap(({ lang }) =>
    CATEGORIES.map((category) => {
      const own = cells.filter((cell) => cell.lang === lang && cell.category === category);
      return [lang, category, ...KINDS.map((kind) => unsafeSafe(own.filter((cell) => cell.kind === kind)))];
    }),
  );
  return `${formatCard(report)}
Most frequent openings of four words:

${markdownTable(
  ['lang', 'opening', 'texts', 'share'],
  openings.map(({ lang, words, texts, share }) => [lang, words, String(texts), percent(share, 2)]),
)}
Unsafe/safe texts by language, category and kind:

${markdownTable(['lang', 'category', ...KINDS], details)}`;
}

/** The tables of the data card. */
export function formatCard({ languages, cells, ...report }: SeedsReport): string {
  const { texts, unsafe, safe, duplicates, parallel, twins } = report;
  return `${texts} texts, ${unsafe} unsafe and ${safe} safe. ${twins.withSafeTwin} of ${twins.unsafe} unsafe texts have a safe \
twin. ${parallel.texts} texts in ${parallel.groups} groups are translations of each other. ${report.heldOut} texts are held out.
Exact duplicates: ${duplicates.exact}. Near-duplicates: ${duplicates.near}, and ${duplicates.nearTwins} of a text and its own twin.

${markdownTable(
  ['lang', 'unsafe', 'safe', 'parallel', 'held out', ...lengthTitles(), 'most frequent opening'],
  languages.map(({ lang, lengths, opening, ...counts }) => [
    lang,
    String(counts.unsafe),
    String(counts.safe),
    String(counts.parallel),
    percent(counts.heldOut / (counts.unsafe + counts.safe), 1),
    ...lengths.map((count) => percent(count / (counts.unsafe + counts.safe), 0)),
    `${opening.texts} x, ${percent(opening.share, 2)}`,
  ]),
)}
Unsafe/safe texts by category and language:

${markdownTable(
  ['category', ...languages.map(({ lang }) => lang)],
  CATEGORIES.map((category) => [
    category,
    ...languages.map(({ lang }) =>
      unsafeSafe(cells.filter((cell) => cell.lang === lang && cell.category === category)),
    ),
  ]),
)}
Unsafe/safe texts by category and kind:

${markdownTable(
  ['category', ...KINDS],
  CATEGORIES.map((category) => [
    category,
    ...KINDS.map((kind) => unsafeSafe(cells.filter((cell) => cell.kind === kind && cell.category === category))),
  ]),
)}`;
}

const [BEGIN, END] = ['<!-- report: begin -->', '<!-- report: end -->'];

/** The data card with `tables` between its two marks. Throws an `Error` where it lacks them. */
export function replaceTables(card: string, tables: string): string {
  const [begin, end] = [card.indexOf(BEGIN), card.indexOf(END)];
  if (begin < 0 || end < begin) throw new Error(`the data card lacks the marks ${BEGIN} and ${END}`);
  return `${card.slice(0, begin + BEGIN.length)}\n${tables}${card.slice(end)}`;
}

function unsafeSafe(cells: readonly Cell[]): string {
  const { unsafe, safe } = sumCounts(cells);
  return unsafe + safe === 0 ? '-' : `${unsafe}/${safe}`;
}

function lengthTitles(): string[] {
  return LENGTHS.map((end, band) => (Number.isFinite(end) ? `< ${end}` : `${LENGTHS[band - 1]}+`));
}

function percent(share: number, digits: number): string {
  return `${(100 * share).toFixed(digits)} %`;
}

function markdownTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((title, at) => Math.max(3, title.length, ...rows.map((row) => (row[at] as string).length)));
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell, at) => cell.padEnd(widths[at] as number)).join(' | ')} |\n`;
  return [line(head), line(widths.map((width) => '-'.repeat(width))), ...rows.map(line)].join('');
}
