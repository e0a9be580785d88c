import type { Classification, ClassifyItem, Client } from 'duoguard/client';
import type { RequestHandler } from 'express';

export interface GuardOptions {
  readonly client: Client;
  readonly policy?: string;
  /** What of a request is judged; undefined for a request without text. */
  readonly input: (body: unknown) => ClassifyItem | undefined;
  /** What of a JSON answer is judged. Left out: answers are not. */
  readonly output?: (body: unknown) => string | undefined;
  /** What happens to a text that nobody could judge. Default: it is refused with 503. */
  readonly whenUnavailable?: 'refuse' | 'pass';
}

/**
 * Behind `express.json()`, before the routes it protects:
 *
 *     const textOf = (field: string) => (body: unknown) => (body as Record<string, string> | undefined)?.[field];
 *     app.use('/chat', guard({ client, input: textOf('message'), output: textOf('reply') }));
 */
export function guard({ client, policy, input, output, whenUnavailable = 'refuse' }: GuardOptions): RequestHandler {
  const options = policy === undefined ? {} : { policy };

  /** The status and body to answer with in place of the text, or undefined when it may pass. */
  async function refusal(item: ClassifyItem, direction: 'input' | 'output', signal: AbortSignal) {
    try {
      const categories = blockedCategories(await client.classify(item, { ...options, direction, signal }));
      if (categories === undefined) return undefined;
      const status = direction === 'input' ? 400 : 502;
      return { status, body: { error: { code: 'content_blocked', direction, categories } } };
    } catch {
      if (whenUnavailable === 'pass') return undefined;
      return { status: 503, body: { error: { code: 'guard_unavailable', direction } } };
    }
  }

  return async (request, response, next) => {
    const left = new AbortController();
    response.once('close', () => left.abort());
    const asked = input(request.body);
    const refused = asked === undefined ? undefined : await refusal(asked, 'input', left.signal);
    if (left.signal.aborted) return;
    if (refused !== undefined) {
      response.status(refused.status).json(refused.body);
      return;
    }
    if (output !== undefined) {
      const send = response.json.bind(response);
      response.json = (body) => {
        const text = output(body);
        if (text === undefined || text === '') return send(body);
        void refusal(text, 'output', left.signal).then((withheld) => {
          if (left.signal.aborted) return;
          if (withheld === undefined) send(body);
          else send.call(response.status(withheld.status), withheld.body);
        });
        return response;
      };
    }
    next();
  };
}

/** Which categories block, or undefined when nothing does. Throws when the text could not be judged. */
function blockedCategories({ results }: Classification): string[] | undefined {
  const [result] = results;
  if (result === undefined || ('error' in result && result.action === undefined)) throw new Error('not judged');
  if (result.action !== 'block') return undefined;
  if ('error' in result) return [];
  return Object.entries(result.categories).flatMap(([id, fired]) => (fired ? [id] : []));
}
