// @ts-check
import { byId } from './dom.js';
import { firstField, prepareDraft, readDraft, write } from './draft.js';
import { preparePast } from './past.js';
import { canExplain, classify, Refusal, readInfo } from './server.js';
import { firedCategories, showProblem, showVerdict, showWaiting } from './verdict.js';

/** @import { Info } from './types.d.ts' */

const form = byId('form', HTMLFormElement);
const key = byId('key', HTMLInputElement);
const explain = byId('explain', HTMLInputElement);
const explainField = byId('explain-field', HTMLElement);

/** @type {Info | undefined} */
let info;
/** The request that is under way; a newer one takes its place. */
let current = new AbortController();

prepareDraft();
const remember = preparePast((input) => {
  write(input);
  firstField().focus();
  void judge();
});
form.addEventListener('submit', (event) => {
  event.preventDefault();
  void judge();
});
form.addEventListener('keydown', (event) => {
  if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) void judge();
});
void learnAboutServer();

async function judge() {
  const draft = readDraft();
  if ('missing' in draft) {
    showProblem(draft.missing);
    firstField().focus();
    return;
  }
  const { input } = draft;
  current.abort();
  current = new AbortController();
  const { signal } = current;
  showWaiting();
  try {
    const answer = await classify(input, {
      key: key.value,
      explain: !explainField.hidden && explain.checked,
      signal,
    });
    if (info?.checkpoint?.id !== answer.checkpoint) await refreshInfo();
    if (signal.aborted) return;
    const result = answer.results[0];
    if (result === undefined || 'error' in result) {
      showProblem(result?.error.message ?? 'The server answered without a verdict.');
      return;
    }
    showVerdict(input, answer, result, info?.checkpoint?.thresholds ?? {});
    remember({ at: Date.now(), input, fired: firedCategories(result) });
  } catch (error) {
    if (signal.aborted) return;
    if (error instanceof Refusal && error.needsKey) {
      byId('key-field', HTMLElement).hidden = false;
      key.focus();
    }
    showProblem(error instanceof Refusal ? error.message : 'This page failed in a way it did not foresee.');
    if (!(error instanceof Refusal)) throw error;
  }
}

async function learnAboutServer() {
  await refreshInfo();
  explainField.hidden = !(await canExplain().catch(() => false));
}

async function refreshInfo() {
  const serving = byId('serving', HTMLElement);
  try {
    info = await readInfo();
    const { checkpoint } = info;
    serving.textContent =
      checkpoint === null
        ? `version ${info.version}, no checkpoint is serving yet`
        : `version ${info.version}, checkpoint ${checkpoint.id}, languages: ${checkpoint.languages.join(', ')}`;
  } catch (error) {
    serving.textContent = error instanceof Refusal ? error.message : '';
  }
}
