import type { Row, Value } from './database.ts';

/** Between the main thread and the thread that owns the embedded database. */
export interface ToEmbedded {
  readonly id: number;
  readonly sql: string;
  readonly values: readonly Value[];
}

export type FromEmbedded =
  | { readonly id: number; readonly rows: readonly Row[] }
  /** Only the code: messages of a database can quote values. */
  | { readonly id: number; readonly failed: string }
  | { readonly ready: true }
  /** It cannot be opened, and the thread ends. */
  | { readonly unusable: string };
