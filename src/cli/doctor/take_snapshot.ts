import { ServerError } from "./answer.ts";
import type { CatalogConnection } from "./connection.ts";
import { type SetName, SETS } from "./sets.ts";
import type { Row, Snapshot } from "./snapshot.ts";

/** The oldest that the queries were tried on. */
const OLDEST_VERSION_NUM = 130_000;

/** For one query, on the server; the connection's own time is a little longer. */
export const STATEMENT_TIMEOUT_MS = 30_000;

/**
 * Reads only, gives up rather than wait behind a lock (definitions are printed
 * under one), and prints definitions alike whatever the user's settings are.
 */
const BEGIN = `begin isolation level repeatable read read only;
set local statement_timeout = ${STATEMENT_TIMEOUT_MS};
set local lock_timeout = 2000;
set local idle_in_transaction_session_timeout = 60000;
set local search_path = pg_catalog;
set local client_encoding = 'UTF8';
set local timezone = 'UTC';
set local datestyle = 'ISO, MDY';
set local intervalstyle = 'postgres';
set local bytea_output = 'hex';
set local extra_float_digits = 1;
set local quote_all_identifiers = off;
set local standard_conforming_strings = on`;

/**
 * Reads the catalogs of a connection's database: one query for each set, in one
 * read-only transaction. A set that the server refuses is left out with its
 * reason; the others go on.
 *
 * @param wanted `server` first.
 * @throws {ServerError} if the connection is lost or the server is too old.
 */
export async function takeSnapshot(
  connection: CatalogConnection,
  user: string,
  wanted: readonly SetName[] = Object.keys(SETS) as SetName[],
): Promise<Snapshot> {
  const sets: Partial<Record<SetName, readonly Row[]>> = {};
  const unread: Partial<Record<SetName, string>> = {};
  await connection.query(BEGIN);
  let versionNum = 0;
  for (const set of wanted) {
    try {
      const rows = await connection.query(
        `savepoint one; ${SETS[set](versionNum)}; release one`,
      );
      sets[set] = rows.toSorted(byRowName);
      if (set !== "server") continue;
      versionNum = Number(rows[0]?.version_num);
    } catch (error) {
      if (
        !(error instanceof ServerError) || error.sqlstate === undefined ||
        set === "server"
      ) throw error;
      unread[set] = error.message;
      await connection.query("rollback to one");
      continue;
    }
    if (!(versionNum >= OLDEST_VERSION_NUM)) {
      throw new ServerError(
        `The server is version ${
          rowsText(sets.server)
        }; 13 is the oldest that is compared`,
      );
    }
  }
  await connection.query("commit");
  return { user, sets, unread };
}

/** Two runs print alike. */
function byRowName({ name: a }: Row, { name: b }: Row): number {
  const [one, other] = [a ?? "", b ?? ""];
  return one < other ? -1 : one > other ? 1 : 0;
}

function rowsText(rows: readonly Row[] | undefined): string {
  return String(rows?.[0]?.version ?? "unknown");
}
