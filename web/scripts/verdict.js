// @ts-check
import { byId, create, inWords } from './dom.js';
import { codePoints, cutAtSpans, partsOf } from './spans.js';

/** @import { Answer, Input, Judgement, Result } from './types.d.ts' */

const verdict = byId('verdict', HTMLElement);
const streamed = byId('streamed', HTMLElement);
const status = byId('status', HTMLElement);
const problem = byId('problem', HTMLElement);

export function showWaiting() {
  byId('result', HTMLElement).setAttribute('aria-busy', 'true');
  status.dataset['stale'] = 'yes';
  problem.replaceChildren();
}

export function showEnd() {
  byId('result', HTMLElement).removeAttribute('aria-busy');
}

/** Beside what was judged by then. */
export function showStopped() {
  showEnd();
  const outcome = status.querySelector('.outcome');
  if (outcome === null || status.dataset['stale'] === 'yes')
    status.replaceChildren(create('p', { class: 'hint', text: 'Stopped before anything was judged.' }));
  else outcome.textContent = `Stopped. ${outcome.textContent}`;
}

/** What went wrong takes the place of the verdict before it, unless it is about that. @param {string} message */
export function showProblem(message, keep = false) {
  showEnd();
  if (!keep) {
    verdict.hidden = true;
    streamed.hidden = true;
    status.replaceChildren();
  }
  problem.replaceChildren(create('p', { text: message }));
  problem.scrollIntoView({ block: 'nearest' });
}

/**
 * @param {Input} input
 * @param {Answer} answer
 * @param {Result} result
 * @param {Record<string, number>} thresholds by category; of what judged
 */
export function showVerdict(input, answer, result, thresholds) {
  showEnd();
  problem.replaceChildren();
  streamed.hidden = true;
  showOutcome(result);
  showScores(result, thresholds);
  showSpans(input, result);
  showFacts(factsOf(answer, result));
  verdict.hidden = false;
  // On a narrow screen it lies below the form.
  status.scrollIntoView({ block: 'nearest' });
}

/** @param {Judgement} judged @param {Record<string, number>} thresholds */
export function showScores({ category_scores: scores, categories }, thresholds) {
  byId('scores', HTMLUListElement).replaceChildren(
    ...Object.entries(scores)
      .sort(([, a], [, b]) => b - a)
      .map(([id, score]) => scoreRow(id, score, thresholds[id], categories[id] === true)),
  );
}

/** @param {Judgement} judged @returns {string[]} ids, highest score first */
export function firedCategories({ categories, category_scores: scores }) {
  return Object.keys(categories)
    .filter((id) => categories[id])
    .sort((a, b) => (scores[b] ?? 0) - (scores[a] ?? 0));
}

/** @param {Judgement} judged @param {string} [when] */
export function showOutcome(judged, when) {
  const fired = firedCategories(judged).map(inWords);
  if (judged.denied_phrase !== undefined) fired.push('a denied phrase');
  const outcome = judged.flagged ? 'Flagged' : 'Nothing flagged';
  delete status.dataset['stale'];
  const text = [when === undefined ? outcome : `${outcome} ${when}`, ...(judged.flagged ? [fired.join(', ')] : [])];
  status.replaceChildren(create('p', { class: judged.flagged ? 'outcome flagged' : 'outcome', text: text.join(': ') }));
}

/** @param {string} id @param {number} score @param {number | undefined} threshold @param {boolean} fired */
function scoreRow(id, score, threshold, fired) {
  const fill = create('div', { class: 'fill' });
  fill.style.inlineSize = percent(score);
  const bar = create('div', { class: 'bar' }, [fill]);
  bar.setAttribute('aria-hidden', 'true');
  const spoken = [];
  if (threshold !== undefined) {
    const tick = create('div', { class: 'tick' });
    tick.style.insetInlineStart = percent(threshold);
    bar.append(tick);
    bar.title = `threshold ${percent(threshold)}`;
    spoken.push(`, threshold ${percent(threshold)}`);
  }
  if (fired) spoken.push(', fires');
  const number = create('span', { class: 'number', text: percent(score) }, [
    create('span', { class: 'visually-hidden', text: spoken.join('') }),
  ]);
  return create('li', { class: fired ? 'fired' : '' }, [create('span', { text: inWords(id) }), bar, number]);
}

/** @param {number} share 0 to 1 */
export function percent(share) {
  const hundredths = share * 100;
  return `${hundredths > 0 && hundredths < 10 ? hundredths.toFixed(1) : Math.round(hundredths)}%`;
}

/** @param {Input} input @param {Result} result */
function showSpans(input, { spans = [] }) {
  byId('marked', HTMLElement).hidden = spans.length === 0;
  let offset = 0;
  const paragraphs = partsOf(input).map(({ label, text }) => {
    const pieces = cutAtSpans(text, offset, spans).map(({ text: piece, categories }) => {
      if (categories.length === 0) return piece;
      const names = categories.map(inWords).join(', ');
      const mark = create('mark', { text: piece });
      mark.title = names;
      return create('span', {}, [mark, create('span', { class: 'visually-hidden', text: ` (${names})` })]);
    });
    offset += codePoints(text) + 1;
    const paragraph = create('p', {}, [...(label === '' ? [] : [create('b', { text: label })]), ...pieces]);
    paragraph.dir = 'auto';
    return paragraph;
  });
  byId('marked-text', HTMLElement).replaceChildren(...paragraphs);
}

/** @param {Answer} answer @param {Result} result */
function factsOf(answer, { action, severity, tokens, windows, views = [] }) {
  return {
    Action: action,
    ...(severity === undefined ? {} : { Severity: severity }),
    ...(answer.policy === undefined || answer.policy === 'default' ? {} : { Policy: answer.policy }),
    Checkpoint: answer.checkpoint,
    Tokens: windows === 1 ? String(tokens) : `${tokens} in ${windows} windows`,
    ...(views.length === 0 ? {} : { 'Read as': views.map(({ view }) => inWords(view)).join(', ') }),
    'Time in the server': `${answer.timing_ms.total.toFixed(1)} ms`,
  };
}

/** @param {Record<string, string>} facts */
export function showFacts(facts) {
  byId('facts', HTMLElement).replaceChildren(
    ...Object.entries(facts).flatMap(([name, value]) => [create('dt', { text: name }), create('dd', { text: value })]),
  );
}
