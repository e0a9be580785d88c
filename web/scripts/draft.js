// @ts-check
import { byId, create } from './dom.js';

/** @import { Input, Message, Mode } from './types.d.ts' */

const form = byId('form', HTMLFormElement);
const text = byId('text', HTMLTextAreaElement);
const prompt = byId('prompt', HTMLTextAreaElement);
const response = byId('response', HTMLTextAreaElement);
const streamText = byId('stream-text', HTMLTextAreaElement);
const turns = byId('turns', HTMLOListElement);
const ROLES = ['user', 'assistant', 'system', 'tool'];

/** @type {Record<Mode, () => Input>} */
const EMPTY = {
  text: () => '',
  messages: () => ({ messages: emptyTurns() }),
  pair: () => ({ prompt: '', response: '' }),
  stream: () => ({ stream: '' }),
};

/** The fields in which an input is written. */
export function prepareDraft() {
  form.addEventListener('change', showMode);
  byId('add-turn', HTMLButtonElement).addEventListener('click', () => {
    const previous = turns.lastElementChild?.querySelector('select')?.value;
    addTurn({ role: previous === 'user' ? 'assistant' : 'user', content: '' }).focus();
  });
  byId('reset', HTMLButtonElement).addEventListener('click', () => {
    write(EMPTY[mode()]());
    firstField().focus();
  });
  for (const message of emptyTurns()) addTurn(message);
  // A browser that goes back to the page restores the choice.
  showMode();
}

/** @returns {{ input: Input } | { missing: string }} what is written, or in words what has to be written first */
export function readDraft() {
  switch (mode()) {
    case 'text':
      return text.value === '' ? { missing: 'Write a text first.' } : { input: text.value };
    case 'pair':
      if (response.value === '') return { missing: 'Write the response first: it is what is judged.' };
      return { input: { prompt: prompt.value, response: response.value } };
    case 'stream':
      return streamText.value === '' ? { missing: 'Write a text first.' } : { input: { stream: streamText.value } };
    case 'messages': {
      const messages = readTurns().filter(({ content }) => content !== '');
      return messages.length === 0 ? { missing: 'Write at least one message first.' } : { input: { messages } };
    }
  }
}

/** Shows an input in the fields of its kind. @param {Input} input */
export function write(input) {
  if (typeof input === 'string') {
    setMode('text');
    text.value = input;
  } else if ('stream' in input) {
    setMode('stream');
    streamText.value = input.stream;
  } else if ('messages' in input) {
    setMode('messages');
    turns.replaceChildren();
    for (const message of input.messages) addTurn(message);
  } else {
    setMode('pair');
    prompt.value = input.prompt;
    response.value = input.response;
  }
}

/** @returns {HTMLElement} */
export function firstField() {
  return form.querySelector(`[data-mode="${mode()}"] textarea`) ?? text;
}

/** @returns {Mode} */
function mode() {
  return /** @type {Mode} */ (new FormData(form).get('mode'));
}

/** @param {Mode} value */
function setMode(value) {
  const radio = form.querySelector(`input[name="mode"][value="${value}"]`);
  if (radio instanceof HTMLInputElement) radio.checked = true;
  showMode();
}

function showMode() {
  const chosen = mode();
  for (const part of form.querySelectorAll('[data-mode]')) {
    if (part instanceof HTMLElement) part.hidden = !part.dataset['mode']?.split(' ').includes(chosen);
  }
}

function emptyTurns() {
  return [
    { role: 'user', content: '' },
    { role: 'assistant', content: '' },
  ];
}

/** @returns {Message[]} */
function readTurns() {
  return [...turns.children].map((turn) => ({
    role: turn.querySelector('select')?.value ?? 'user',
    content: turn.querySelector('textarea')?.value ?? '',
  }));
}

/** @param {Message} message @returns {HTMLTextAreaElement} its field */
function addTurn({ role, content }) {
  const select = create(
    'select',
    {},
    [...new Set([...ROLES, role])].map((value) => create('option', { text: value })),
  );
  select.value = role;
  const field = create('textarea');
  field.rows = 3;
  field.dir = 'auto';
  field.value = content;
  const remove = create('button', { text: 'Remove' });
  remove.type = 'button';
  const turn = create('li', {}, [select, remove, field]);
  remove.addEventListener('click', () => {
    turn.remove();
    numberTurns();
    byId('add-turn', HTMLButtonElement).focus();
  });
  turns.append(turn);
  numberTurns();
  return field;
}

/** Their names for a screen reader carry the position, which changes when one is removed. */
function numberTurns() {
  [...turns.children].forEach((turn, index) => {
    const name = `message ${index + 1}`;
    turn.querySelector('select')?.setAttribute('aria-label', `Role of ${name}`);
    turn.querySelector('textarea')?.setAttribute('aria-label', `Content of ${name}`);
    turn.querySelector('button')?.setAttribute('aria-label', `Remove ${name}`);
  });
}
