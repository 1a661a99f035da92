import type { ConnectionTable } from "../stats/connection_table.ts";

/** How many clients may be there at once; 0: any number. */
export interface LimitSettings {
  readonly clients: number;
  /** For each database, and for each user. */
  readonly perDatabase: number;
  readonly perUser: number;
  /** Of these instead. */
  readonly databases: Readonly<Record<string, number>>;
  readonly users: Readonly<Record<string, number>>;
}

export const TOO_MANY_CONNECTIONS = "53300";
/** In PostgreSQL's words. */
export const TOO_MANY = "sorry, too many clients already";

/**
 * Counts clients over all workers: those that have proved who they are, so that
 * nobody else keeps them out. Clients of the admin console are not among them.
 */
export class ClientLimits {
  readonly #settings: LimitSettings;
  readonly #tables: readonly ConnectionTable[];

  /** @param tables of all workers. */
  constructor(settings: LimitSettings, tables: readonly ConnectionTable[]) {
    this.#settings = settings;
    this.#tables = tables;
  }

  /**
   * Why one more can't come in, in PostgreSQL's words for 53300; undefined: it can.
   *
   * @param database left out as `user` where the client has still to prove who it is: it may not learn who is there.
   */
  refusal(database?: string, user?: string): string | undefined {
    return this.#excess(database, user, 1);
  }

  /**
   * A client has proved who it is. It is in its table before it is counted: two
   * that come at once may both be refused, and never both be let in.
   *
   * @param table where its `row` is.
   * @returns why it can't stay, as {@linkcode ClientLimits.refusal}.
   */
  admit(
    table: ConnectionTable,
    row: number,
    database: string,
    user: string,
  ): string | undefined {
    table.setAdmitted(row, true);
    const refusal = this.#excess(database, user, 0);
    if (refusal !== undefined) table.setAdmitted(row, false);
    return refusal;
  }

  #excess(
    database: string | undefined,
    user: string | undefined,
    more: number,
  ): string | undefined {
    const { clients, perDatabase, perUser, databases, users } = this.#settings;
    if (clients > 0 && this.#count({}) + more > clients) return TOO_MANY;
    const ofDatabase = limitOf(databases, database) ?? perDatabase;
    if (
      database !== undefined && ofDatabase > 0 &&
      this.#count({ database }) + more > ofDatabase
    ) {
      return `too many connections for database "${database}"`;
    }
    const ofUser = limitOf(users, user) ?? perUser;
    if (
      user !== undefined && ofUser > 0 && this.#count({ user }) + more > ofUser
    ) {
      return `too many connections for role "${user}"`;
    }
    return undefined;
  }

  #count(of: { readonly database?: string; readonly user?: string }): number {
    return this.#tables.reduce((sum, table) => sum + table.count(of), 0);
  }
}

/** Names are the client's: "constructor" is one, too. */
function limitOf(
  limits: Readonly<Record<string, number>>,
  name = "",
): number | undefined {
  return Object.hasOwn(limits, name) ? limits[name] : undefined;
}
