import type { ClassifyItem } from '../moderation/contract.ts';

/** The one text that stands for an item: what the model scores and what offsets of spans count from. */
export function renderItem(item: ClassifyItem): string {
  if (typeof item === 'string') return item;
  if ('messages' in item) return item.messages.map((message) => message.content).join('\n');
  return `${item.prompt}\n${item.response}`;
}
