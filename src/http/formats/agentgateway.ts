import { z } from 'zod';
import type { ClassifyItem } from '../../moderation/contract.ts';
import { parseWith, wellFormed } from '../classify-request.ts';
import { errorAnswer } from '../error-answer.ts';
import { tooManyItems } from '../invalid-field.ts';
import { createJudgingHandler, verdictHeaders } from '../judging.ts';
import { blockReasons, type Format, type FormatDependencies, toItems } from './format.ts';

const messageSchema = z.object({ role: z.string(), content: z.string() });
export const promptSchema = z.object({ body: z.object({ messages: z.array(messageSchema) }) });
export const responseSchema = z.object({ body: z.object({ choices: z.array(z.object({ message: messageSchema })) }) });

/**
 * The webhooks of agentgateway, which calls `/request` with a conversation before the model and `/response` with the
 * choices after it.
 *
 * It reads the body whatever the status is, and tells the actions apart only by their fields: `body` and `status_code`
 * together reject, anything else under `action` passes. So an error must not have an `action`; without one the gateway
 * fails to parse the answer and does what its failure mode says.
 */
export const agentgateway: Format = (dependencies) => ({
  toErrorAnswer: errorAnswer,
  routes: [
    { method: 'POST', path: '/request', handle: createHook(dependencies, promptItems, 'input') },
    { method: 'POST', path: '/response', handle: createHook(dependencies, responseItems, 'output') },
  ],
});

type ToHookItems = (body: unknown, maxItems: number) => ClassifyItem[];

function createHook(dependencies: FormatDependencies, toHookItems: ToHookItems, direction: 'input' | 'output') {
  return createJudgingHandler(dependencies, async ({ body, exchange, classify }) => {
    const items = toHookItems(body, dependencies.limits.maxItems);
    if (items.length === 0) return { status: 200, body: { action: { reason: 'there is no text' } } };
    const verdict = await classify({ items, direction, longInput: 'window' });
    const reasons = blockReasons(verdict);
    const action =
      reasons.length === 0
        ? { reason: 'no category fired' }
        : { body: `Blocked by duoguard: ${reasons.join(', ')}`, status_code: 403, reason: reasons.join(', ') };
    return { status: 200, headers: verdictHeaders(verdict, exchange), body: { action } };
  });
}

/** A conversation is one item. */
const promptItems: ToHookItems = (body) => {
  const { messages } = parseWith(promptSchema, body, []).body;
  if (messages.every(({ content }) => content === '')) return [];
  return [{ messages: messages.map(({ role, content }) => ({ role, content: wellFormed(content) })) }];
};

/** Choices are independent of each other. */
const responseItems: ToHookItems = (body, maxItems) => {
  const { choices } = parseWith(responseSchema, body, []).body;
  if (choices.length > maxItems) throw tooManyItems('body.choices', choices.length, maxItems);
  const texts = choices.map(({ message }) => message.content).filter((text) => text !== '');
  return texts.length === 0 ? [] : toItems(texts, 'body', maxItems);
};
