import { z } from 'zod';
import { DuoguardError } from '../../errors.ts';
import { readOptionalJson } from '../body.ts';
import type { ListedCheckpoint } from '../checkpoint-routes.ts';
import { parseWith } from '../classify-request.ts';
import { Deadline } from '../deadline.ts';
import type { Exchange } from '../exchange.ts';
import { invalidField } from '../invalid-field.ts';
import { MODEL_NAME } from '../judging.ts';
import type { FormatDependencies, FormatRoute } from './format.ts';

export const indexSchema = z.object({ ready: z.boolean().optional() });

/** The protocol leaves the parameters to the server: ours names a checkpoint, because each is a version of one model. */
export const versionSchema = z.object({ parameters: z.object({ version: z.string().optional() }).optional() });

type IndexState = 'READY' | 'LOADING' | 'UNAVAILABLE';

/** Of the others none can be asked to infer. */
const STATES: Readonly<Record<string, IndexState>> = { active: 'READY', loading: 'LOADING' };

/** The repository extension: checkpoints as versions of the one model. Needs a key with the scope admin. */
export function repositoryRoutes({ checkpoints, authorize, limits }: FormatDependencies): FormatRoute[] {
  async function readBody<T>(exchange: Exchange, schema: z.ZodType<T>): Promise<T> {
    authorize(exchange.request.headers, 'admin');
    const deadline = new Deadline(limits.requestTimeoutMs);
    exchange.onClientLeft(() => deadline.fail(new DuoguardError('client_closed')));
    try {
      return parseWith(schema, await readOptionalJson(exchange.request, limits.maxBodyBytes, deadline), []);
    } finally {
      deadline.clear();
    }
  }

  async function askedVersion(exchange: Exchange): Promise<string | undefined> {
    const { parameters } = await readBody(exchange, versionSchema);
    const [model] = new URL(exchange.request.url).pathname.split('/').slice(-2);
    if (model !== MODEL_NAME) throw invalidField(['model'], `expected ${MODEL_NAME}`);
    return parameters?.version;
  }

  const servingVersion = async () => (await checkpoints.list()).active ?? '';

  return [
    {
      method: 'POST',
      path: '/v2/repository/index',
      async handle(exchange) {
        const { ready } = await readBody(exchange, indexSchema);
        const entries = (await checkpoints.list()).checkpoints.map(toIndexEntry);
        return { status: 200, body: ready ? entries.filter(({ state }) => state === 'READY') : entries };
      },
    },
    {
      method: 'POST',
      path: '/v2/repository/models/:model/load',
      async handle(exchange) {
        // Without a version the serving one is loaded again, as the protocol says of a model that is loaded.
        await checkpoints.activate((await askedVersion(exchange)) ?? (await servingVersion()));
        return { status: 200, body: { name: MODEL_NAME, load: true } };
      },
    },
    {
      method: 'POST',
      path: '/v2/repository/models/:model/unload',
      async handle(exchange) {
        const version = await askedVersion(exchange);
        // There is always one that serves, so that the model itself stays.
        if (version === undefined) throw invalidField(['parameters', 'version'], 'is required');
        await checkpoints.rollback(version);
        return { status: 200, body: { name: MODEL_NAME, unload: true } };
      },
    },
  ];
}

function toIndexEntry({ id, state, rejected }: ListedCheckpoint) {
  const indexState = STATES[state] ?? 'UNAVAILABLE';
  const idle = state === 'shadow' || state === 'canary' ? 'on trial' : 'unloaded';
  const reason = indexState === 'UNAVAILABLE' ? (rejected?.message ?? idle) : '';
  return { name: MODEL_NAME, version: id, state: indexState, reason };
}
