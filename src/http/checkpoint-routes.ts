import type { Authorize } from './api-keys.ts';
import type { Exchange, Handler } from './exchange.ts';
import type { FormatRoute } from './formats/format.ts';

/** What the routes ask of whoever keeps the checkpoints. Each change resolves when it has taken effect. */
export interface CheckpointAdmin {
  /** JSON values. */
  list(): Promise<{ readonly active: string | null; readonly checkpoints: readonly unknown[] }>;
  activate(id: string): Promise<void>;
  rollback(id: string): Promise<void>;
}

const ACTIONS = ['activate', 'rollback'] as const satisfies readonly (keyof CheckpointAdmin)[];

/** All of them need a key with the scope admin. */
export function createCheckpointRoutes(admin: CheckpointAdmin, authorize: Authorize): FormatRoute[] {
  const forAdmins =
    (handle: Handler): Handler =>
    (exchange) => {
      authorize(exchange.request.headers, 'admin');
      return handle(exchange);
    };
  const list: Handler = async () => ({ status: 200, body: await admin.list() });
  return [
    { method: 'GET', path: '/v1/checkpoints', handle: forAdmins(list) },
    ...ACTIONS.map((action) => ({
      method: 'POST' as const,
      path: `/v1/checkpoints/:id/${action}`,
      handle: forAdmins(async (exchange) => {
        await admin[action](askedId(exchange));
        return { status: 200, body: await admin.list() };
      }),
    })),
  ];
}

/** Still percent-encoded: no id has a character that needs it. */
function askedId({ request }: Exchange): string {
  return new URL(request.url).pathname.split('/')[3] ?? '';
}
