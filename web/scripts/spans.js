// @ts-check
/** @import { Input, Span } from './types.d.ts' */

/**
 * The parts of an input in the order in which the server joins them, with one line break between neighbours, to the one
 * text that offsets of spans count in.
 *
 * @param {Input} input
 * @returns {{ label: string, text: string }[]} `label` is empty for a lone text.
 */
export function partsOf(input) {
  if (typeof input === 'string') return [{ label: '', text: input }];
  if ('messages' in input) return input.messages.map(({ role, content }) => ({ label: role, text: content }));
  if ('stream' in input) return [{ label: '', text: input.stream }];
  return [
    { label: 'prompt', text: input.prompt },
    { label: 'response', text: input.response },
  ];
}

/**
 * Cuts one part at the borders of spans. Where spans overlap, a piece names the categories of all of them.
 *
 * @param {string} text
 * @param {number} offset code points before this part in the joined text
 * @param {readonly Span[]} spans
 * @returns {{ text: string, categories: string[] }[]}
 */
export function cutAtSpans(text, offset, spans) {
  const points = Array.from(text);
  const borders = new Set([0, points.length]);
  for (const { start, end } of spans) {
    for (const border of [start - offset, end - offset]) if (border > 0 && border < points.length) borders.add(border);
  }
  const sorted = [...borders].sort((a, b) => a - b);
  return sorted.slice(0, -1).map((from, index) => {
    const to = /** @type {number} */ (sorted[index + 1]);
    const covering = spans.filter(({ start, end }) => start - offset <= from && end - offset >= to);
    return {
      text: points.slice(from, to).join(''),
      categories: [...new Set(covering.map(({ category }) => category))],
    };
  });
}

/** @param {string} text */
export function codePoints(text) {
  return Array.from(text).length;
}
