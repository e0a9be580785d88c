// @ts-check
import { byId } from './dom.js';
import { firstField, prepareDraft, readDraft, write } from './draft.js';
import { preparePast } from './past.js';
import { chosenPolicy, hasPolicies, refreshPolicies, thresholdsOf } from './policies.js';
import { canExplain, classify, Refusal, readInfo } from './server.js';
import { judgeStream } from './streaming.js';
import { firedCategories, showEnd, showProblem, showStopped, showVerdict, showWaiting } from './verdict.js';

/** @import { Info, Input } from './types.d.ts' */

const form = byId('form', HTMLFormElement);
const key = byId('key', HTMLInputElement);
const explain = byId('explain', HTMLInputElement);
const explainField = byId('explain-field', HTMLElement);
const live = byId('live', HTMLInputElement);
const stopButton = byId('stop', HTMLButtonElement);
const judgeButton = byId('judge', HTMLButtonElement);

/** Without a key pressed for so long, a text that is being written is judged. */
const PAUSE_MS = 400;

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
addEventListener('keydown', (event) => {
  if (event.key === 'Escape' && !stopButton.hidden) stop();
});
stopButton.addEventListener('click', () => {
  stop();
  judgeButton.focus();
});
judgeWhileTyping();
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
    const fired = typeof input === 'object' && 'stream' in input ? await stream(input) : await classifyOnce(input);
    if (fired !== undefined && !signal.aborted) remember({ at: Date.now(), input, fired });
    if (!hasPolicies()) await refreshPolicies(key.value);
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

/** @param {Input} input @returns {Promise<string[] | undefined>} what fired, if there is a verdict */
async function classifyOnce(input) {
  const { signal } = current;
  const answer = await classify(input, {
    key: key.value,
    policy: chosenPolicy(),
    explain: !explainField.hidden && explain.checked,
    signal,
  });
  if (info?.checkpoint?.id !== answer.checkpoint) await refreshInfo();
  if (signal.aborted) return undefined;
  const result = answer.results[0];
  if (result === undefined || 'error' in result) {
    showProblem(result?.error.message ?? 'The server answered without a verdict.');
    return undefined;
  }
  showVerdict(input, answer, result, thresholdsOf(info?.checkpoint ?? null, input));
  return firedCategories(result);
}

/** @param {{ stream: string }} input @returns {Promise<string[] | undefined>} */
async function stream(input) {
  const own = current;
  stopButton.hidden = false;
  try {
    const { fired, problem } = await judgeStream(input.stream, {
      key: key.value,
      policy: chosenPolicy(),
      thresholds: thresholdsOf(info?.checkpoint ?? null, input),
      signal: own.signal,
      stop,
    });
    if (own.signal.aborted) return undefined;
    if (problem !== undefined) showProblem(problem, true);
    // Of a text that is still being written each state would be an entry of its own.
    return problem !== undefined || live.checked ? undefined : fired;
  } finally {
    if (own === current) {
      stopButton.hidden = true;
      showEnd();
    }
  }
}

/** What was judged by then stays on the screen. */
function stop() {
  current.abort();
  showStopped();
}

function judgeWhileTyping() {
  let timer = 0;
  byId('stream-text', HTMLTextAreaElement).addEventListener('input', ({ target }) => {
    clearTimeout(timer);
    if (!live.checked || !(target instanceof HTMLTextAreaElement) || target.value.trim() === '') return;
    timer = setTimeout(() => void judge(), PAUSE_MS);
  });
}

async function learnAboutServer() {
  await refreshInfo();
  await refreshPolicies(key.value);
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
