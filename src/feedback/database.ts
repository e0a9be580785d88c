/** What a column may hold in both databases: times are ISO texts, truth is 0 or 1, lists are JSON. */
export type Value = string | number | null;
export type Row = Readonly<Record<string, Value>>;

/**
 * One statement. Its parameters are `$1`, `$2`, ... and appear in it in this order for the first time: SQLite numbers
 * them as they appear. What a resolved promise wrote is durable.
 */
export type Query = (sql: string, values?: readonly Value[]) => Promise<Row[]>;

/** The one interface over PostgreSQL and the embedded database. Failures are whatever the driver throws. */
export interface Database {
  readonly query: Query;
  /** All or nothing, while no other process is in such a transaction of this database. */
  exclusively<T>(run: (query: Query) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}
