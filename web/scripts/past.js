// @ts-check
import { byId, create, inWords } from './dom.js';
import { add, clear, entries, isKept, keep } from './history.js';
import { partsOf } from './spans.js';

/** @import { Entry, Input } from './types.d.ts' */

/**
 * The list of what was judged before.
 *
 * @param {(input: Input) => void} choose called with the input that a person wants back
 * @returns {(entry: Entry) => void} adds an entry
 */
export function preparePast(choose) {
  const remember = byId('remember', HTMLInputElement);
  remember.checked = isKept();
  remember.addEventListener('change', () => {
    keep(remember.checked);
    show(choose);
  });
  byId('clear', HTMLButtonElement).addEventListener('click', () => {
    clear();
    show(choose);
  });
  show(choose);
  return (entry) => {
    add(entry);
    show(choose);
  };
}

/** @param {(input: Input) => void} choose */
function show(choose) {
  const past = entries();
  byId('history', HTMLOListElement).replaceChildren(...past.map((entry) => row(entry, choose)));
  byId('history-empty', HTMLElement).hidden = past.length > 0;
  byId('clear', HTMLButtonElement).disabled = past.length === 0;
}

/** @param {readonly string[]} fired */
function outcome(fired) {
  if (fired.length === 0) return create('span', { class: 'judged', text: 'Not flagged' });
  return create('span', { class: 'judged flagged', text: 'Flagged' });
}

/** @param {Entry} entry @param {(input: Input) => void} choose */
function row({ at, input, fired }, choose) {
  const date = new Date(at);
  const time = create('time', { text: date.toLocaleString() });
  time.dateTime = date.toISOString();
  const excerpt = create('span', {
    class: 'excerpt',
    text: partsOf(input)
      .map(({ text }) => text.slice(0, 200))
      .join(' / '),
  });
  excerpt.dir = 'auto';
  const button = create('button', {}, [outcome(fired), excerpt, time]);
  button.type = 'button';
  button.title = fired.map(inWords).join(', ');
  button.addEventListener('click', () => choose(input));
  return create('li', {}, [button]);
}
