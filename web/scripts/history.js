// @ts-check
/** @import { Entry } from './types.d.ts' */

const ENTRIES = 'duoguard.history';
const KEEPING = 'duoguard.history.keep';
const MOST = 50;

/** A browser may refuse its storage, for example in a private window: then there is no history, and nothing fails. */

/** @returns {boolean} on unless the person has switched it off */
export function isKept() {
  return read(KEEPING) !== 'no';
}

/** Switching it off also clears it. @param {boolean} kept */
export function keep(kept) {
  write(KEEPING, kept ? 'yes' : 'no');
  if (!kept) clear();
}

/** @returns {Entry[]} newest first */
export function entries() {
  try {
    const stored = JSON.parse(read(ENTRIES) ?? '[]');
    return Array.isArray(stored) ? stored.filter(isEntry) : [];
  } catch {
    return [];
  }
}

/** @param {Entry} entry */
export function add(entry) {
  if (!isKept()) return;
  const same = JSON.stringify(entry.input);
  const others = entries().filter(({ input }) => JSON.stringify(input) !== same);
  write(ENTRIES, JSON.stringify([entry, ...others].slice(0, MOST)));
}

export function clear() {
  try {
    localStorage.removeItem(ENTRIES);
  } catch {}
}

/** @param {unknown} value @returns {value is Entry} What an older version of this page stored may look different. */
function isEntry(value) {
  if (typeof value !== 'object' || value === null) return false;
  const { at, input, fired } = /** @type {Partial<Entry>} */ (value);
  return typeof at === 'number' && Array.isArray(fired) && isInput(input);
}

/** @param {unknown} input */
function isInput(input) {
  if (typeof input === 'string') return true;
  if (typeof input !== 'object' || input === null) return false;
  if ('stream' in input) return typeof input.stream === 'string';
  return 'messages' in input ? Array.isArray(input.messages) : 'prompt' in input && 'response' in input;
}

/** @param {string} key */
function read(key) {
  try {
    return localStorage.getItem(key);
  } catch {
    return null;
  }
}

/** @param {string} key @param {string} value */
function write(key, value) {
  try {
    localStorage.setItem(key, value);
  } catch {}
}
