// @ts-check
import { byId, create, inWords } from './dom.js';
import { classifyStream } from './server.js';
import { firedCategories, percent, showFacts, showOutcome, showScores } from './verdict.js';

/** @import { Judgement, StreamEvent } from './types.d.ts' */

const chunkTokens = byId('chunk-tokens', HTMLInputElement);
const contextTokens = byId('context-tokens', HTMLInputElement);
const holdBack = byId('hold-back', HTMLInputElement);
const stopAtBlock = byId('stop-at-block', HTMLInputElement);
const textView = byId('streamed-text', HTMLElement);
const windowList = byId('windows', HTMLOListElement);

/**
 * Sends a text in pieces and draws what comes back as it comes.
 *
 * @param {string} text
 * @param {{ key: string, policy: string | undefined, thresholds: Record<string, number>, signal: AbortSignal, stop: () => void }} options
 * `stop` fires `signal`
 * @returns {Promise<{ fired: string[], problem?: string }>} Rejects like `classify`.
 */
export async function judgeStream(text, { key, policy, thresholds, signal, stop }) {
  const settings = {
    ...(chunkTokens.value === '' ? {} : { chunk_tokens: chunkTokens.valueAsNumber }),
    ...(contextTokens.value === '' ? {} : { context_tokens: contextTokens.valueAsNumber }),
    ...(holdBack.value === '' ? {} : { hold_back: holdBack.valueAsNumber }),
    policy,
  };
  const view = createView(text, thresholds);
  for await (const event of classifyStream(text, settings, { key, signal })) {
    view.draw(event);
    if (event.event === 'error') {
      return { fired: [], problem: `${event.error.message} What was not judged by then was not judged.` };
    }
    if (event.event === 'done') return { fired: 'error' in event ? [] : firedCategories(event) };
    if ('action' in event && event.action === 'block' && stopAtBlock.checked) stop();
  }
  return { fired: [], problem: 'The server ended the stream before it was done.' };
}

/** @param {string} text @param {Record<string, number>} thresholds */
function createView(text, thresholds) {
  const points = Array.from(text);
  const waiting = create('span', { class: 'waiting', text });
  const facts = { Windows: 0, Released: 0 };
  /** @type {Judgement | undefined} */
  let total;
  let begun = false;

  /** What was drawn before stays until there is something in its place. */
  function begin() {
    if (begun) return;
    begun = true;
    textView.replaceChildren(waiting);
    windowList.replaceChildren();
    byId('marked', HTMLElement).hidden = true;
    byId('streamed', HTMLElement).hidden = false;
    byId('verdict', HTMLElement).hidden = false;
  }

  /** @param {{ start: number, end: number }} place @param {string} words @param {boolean} flagged @param {string} score */
  function addWindow({ start, end }, words, flagged, score) {
    const piece = create(flagged ? 'mark' : 'span', { class: 'window', text: points.slice(start, end).join('') });
    piece.title = words;
    waiting.before(piece);
    waiting.textContent = points.slice(end).join('');
    windowList.append(
      create('li', { class: flagged ? 'fired' : '' }, [
        create('span', { text: `characters ${start} to ${end}` }),
        create('span', { text: words }),
        create('span', { class: 'number', text: score }),
      ]),
    );
    for (const list of [textView, windowList]) list.scrollTop = list.scrollHeight;
    facts.Windows++;
  }

  /** @param {Extract<StreamEvent, { event: 'verdict' }>} verdict */
  function addVerdict(verdict) {
    const before = total;
    total = before === undefined ? verdict : worse(before, verdict);
    const top = verdict.category_scores[verdict.top_category] ?? 0;
    addWindow(verdict, reasons(verdict), verdict.flagged, percent(top));
    showScores(total, thresholds);
    // A screen reader hears of each window that changes the outcome, and of no other.
    if (before === undefined || (verdict.flagged && reasons(before) !== reasons(total))) showOutcome(total, 'so far');
    showProgress();
  }

  function showProgress() {
    showFacts({ Windows: String(facts.Windows), ...released(facts.Released, points.length) });
  }

  return {
    /** @param {StreamEvent} event */
    draw(event) {
      if (event.event !== 'error') begin();
      if (event.event === 'verdict') addVerdict(event);
      else if (event.event === 'failure') addWindow(event, `could not be judged: ${event.action}`, false, '');
      else if (event.event === 'release') {
        facts.Released = event.end;
        showProgress();
      } else if (event.event === 'done') {
        showDone(event, thresholds);
        for (const list of [textView, windowList]) showFirstFlagged(list);
      }
    },
  };
}

/** While windows come the newest are seen; afterwards what there is to see. @param {HTMLElement} list */
function showFirstFlagged(list) {
  const flagged = list.querySelector('mark, .fired');
  list.scrollTop = flagged instanceof HTMLElement ? flagged.offsetTop - list.offsetTop : 0;
}

/** @param {Extract<StreamEvent, { event: 'done' }>} done @param {Record<string, number>} thresholds */
function showDone(done, thresholds) {
  if ('error' in done) {
    byId('status', HTMLElement).replaceChildren(create('p', { class: 'outcome flagged', text: done.error.message }));
  } else {
    showOutcome(done);
    showScores(done, thresholds);
  }
  showFacts({
    Action: done.action,
    ...('severity' in done && done.severity !== undefined ? { Severity: done.severity } : {}),
    ...(done.policy === 'default' ? {} : { Policy: done.policy }),
    Checkpoint: done.checkpoint,
    Tokens: `${done.usage.tokens} in ${done.windows} ${done.windows === 1 ? 'window' : 'windows'}`,
    ...(done.failed === undefined ? {} : { 'Windows that failed': String(done.failed) }),
    ...released(done.released, done.length),
    'Time in the server': `${done.timing_ms.total.toFixed(1)} ms`,
  });
}

/** @param {number} count @param {number} length @returns {Record<string, string>} */
function released(count, length) {
  return holdBack.value === '' ? {} : { Released: `${count} of ${length} characters` };
}

/** @param {Judgement} judged */
function reasons(judged) {
  const fired = firedCategories(judged).map(inWords);
  if (judged.denied_phrase !== undefined) fired.push('a denied phrase');
  return fired.length === 0 ? 'nothing' : fired.join(', ');
}

/** @param {Judgement} before @param {Judgement} next @returns {Judgement} the maximum of each score */
function worse(before, next) {
  const denied = before.denied_phrase ?? next.denied_phrase;
  return {
    ...before,
    flagged: before.flagged || next.flagged,
    ...(denied === undefined ? {} : { denied_phrase: denied }),
    categories: merge(before.categories, next.categories, (a, b) => a || b),
    category_scores: merge(before.category_scores, next.category_scores, Math.max),
  };
}

/**
 * @template T
 * @param {Record<string, T>} one
 * @param {Record<string, T>} other
 * @param {(a: T, b: T) => T} join
 */
function merge(one, other, join) {
  return Object.fromEntries(Object.entries(one).map(([id, value]) => [id, join(value, other[id] ?? value)]));
}
