import type { ClientTable } from "../stats/client_table.ts";

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

/**
 * Counts clients over all workers. A client is in its table before it is
 * counted: two that come at once may both be refused, and never both be let in.
 * Clients of the admin console are neither counted nor refused.
 */
export class ClientLimits {
  readonly #settings: LimitSettings;
  readonly #tables: readonly ClientTable[];
  readonly #adminDatabase: string;

  /** @param tables of all workers. */
  constructor(
    settings: LimitSettings,
    tables: readonly ClientTable[],
    adminDatabase: string,
  ) {
    this.#settings = settings;
    this.#tables = tables;
    this.#adminDatabase = adminDatabase;
  }

  /** Why a client that is identified in its table can't stay, in PostgreSQL's words for 53300; undefined: it can. */
  refusal(database: string, user: string): string | undefined {
    const { clients, perDatabase, perUser, databases, users } = this.#settings;
    if (clients > 0) {
      const admins = this.#count({ database: this.#adminDatabase });
      const used = this.#tables.reduce((sum, table) => sum + table.used, 0);
      if (used - admins > clients) return "sorry, too many clients already";
    }
    const ofDatabase = databases[database] ?? perDatabase;
    if (ofDatabase > 0 && this.#count({ database }) > ofDatabase) {
      return `too many connections for database "${database}"`;
    }
    const ofUser = users[user] ?? perUser;
    if (ofUser > 0 && this.#count({ user }) > ofUser) {
      return `too many connections for role "${user}"`;
    }
    return undefined;
  }

  #count(of: { readonly database?: string; readonly user?: string }): number {
    return this.#tables.reduce((sum, table) => sum + table.count(of), 0);
  }
}
