import type { Authorize } from './api-keys.ts';
import type { Exchange, Handler } from './exchange.ts';
import type { FormatRoute } from './formats/format.ts';
import { invalidField } from './invalid-field.ts';

/** A checkpoint, as far as a route looks into it. The rest is JSON too. */
export interface ListedCheckpoint {
  readonly id: string;
  readonly state: string;
  /** Why it was refused the last time. */
  readonly rejected: { readonly message: string } | null;
}

/** What the routes ask of whoever keeps the checkpoints. Each change resolves when it has taken effect. */
export interface CheckpointAdmin {
  /** JSON values. */
  list(): Promise<{
    readonly active: string | null;
    /** The candidate that takes part in the traffic, with what is known of it so far. */
    readonly trial: unknown;
    readonly checkpoints: readonly ListedCheckpoint[];
  }>;
  activate(id: string): Promise<void>;
  /** Of the active one, or of the one on trial. */
  rollback(id: string): Promise<void>;
  /** @param share of the requests, 0 to 1; undefined for what the settings say. */
  shadow(id: string, share: number | undefined): Promise<void>;
  canary(id: string, share: number | undefined): Promise<void>;
}

const ACTIONS = ['activate', 'rollback', 'shadow', 'canary'] as const satisfies readonly (keyof CheckpointAdmin)[];

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
        await admin[action](askedId(exchange), askedShare(exchange));
        return { status: 200, body: await admin.list() };
      }),
    })),
  ];
}

/** Still percent-encoded: no id has a character that needs it. */
function askedId({ request }: Exchange): string {
  return new URL(request.url).pathname.split('/')[3] ?? '';
}

/** `?share=` is in percent, as in the settings. Throws `invalid_request`. */
function askedShare({ request }: Exchange): number | undefined {
  const given = new URL(request.url).searchParams.get('share');
  if (given === null) return undefined;
  const percent = Number(given);
  if (Number.isInteger(percent) && percent >= 1 && percent <= 100) return percent / 100;
  throw invalidField(['share'], 'expected a whole number of percent from 1 to 100');
}
