import { setTimeout as delay } from "node:timers/promises";
import { seededRandom } from "../../../src/cli/demo/workload.ts";
import { waitFor } from "../wait.ts";
import {
  type Connection,
  type Querier,
  type Row,
  sqlstateOf,
} from "../twin_shop/connection.ts";
import { connectNodePg } from "../twin_shop/node_pg.ts";
import { connectPostgresJs } from "../twin_shop/postgres_js.ts";
import { raw, sql } from "../twin_shop/statement.ts";

export interface ClientsOptions {
  /** A connection string. */
  readonly url: string;
  /** Whether some rows are inserted that nobody is told of. */
  readonly isUntold: boolean;
}

/** A row of parents. */
interface Parent {
  readonly id: string;
  readonly token: string;
}

interface Client {
  readonly who: number;
  readonly connection: Connection;
  readonly random: () => number;
  readonly isUntold: boolean;
  /** What is unique about the next row. */
  next(): number;
}

/** Committed rows that all clients may refer to: the newest. */
const PARENTS_KEPT = 30;
const PROTOCOLS = ["simple", "extended", "prepared", "pipelined"] as const;
const CLIENTS = 6;
/** A client's pause between two steps, on average: the mirror has to keep up. */
const THINK_MS = 20;
/** Of all clients: a server that has gone would give them for ever. */
const MAX_UNEXPECTED = 20;
const AWAY = new Error("rolled back");
const DUPLICATE =
  sql`insert into parents (who, n) values (-1, -1) returning id`;

/** Clients that use keys which the server has just made, their own and each other's, until they are told to end. */
export class Clients {
  readonly unexpected: string[] = [];
  #steps = 0;
  #isOver = false;
  readonly #parents: Parent[] = [];
  readonly #all: Promise<unknown>;

  constructor(options: ClientsOptions) {
    this.#all = Promise.all(
      Array.from({ length: CLIENTS }, (_, who) => this.#client(who, options)),
    );
  }

  /** Waits until all clients together have taken so many more steps. */
  async steps(count: number): Promise<void> {
    const until = this.#steps + count;
    await waitFor(`${count} steps`, () => this.#steps >= until, 60_000);
  }

  async end(): Promise<void> {
    this.#isOver = true;
    await this.#all;
  }

  async #client(who: number, options: ClientsOptions): Promise<void> {
    const { url, isUntold } = options;
    const protocol = PROTOCOLS[who % PROTOCOLS.length] ?? "simple";
    const connection = protocol === "simple" || protocol === "extended"
      ? await connectNodePg(url, protocol)
      : connectPostgresJs(url, protocol);
    let n = 0;
    const client: Client = {
      who,
      connection,
      random: seededRandom(who + 1),
      isUntold,
      next: () => n++,
    };
    while (!this.#isOver && this.unexpected.length < MAX_UNEXPECTED) {
      try {
        await this.#step(client);
      } catch (error) {
        this.unexpected.push(String(error));
      }
      this.#steps++;
      await delay(2 * THINK_MS * client.random());
    }
    await connection.end();
  }

  async #step(client: Client): Promise<void> {
    const { connection, random, who, next } = client;
    const parent = this.#parents[Math.floor(random() * this.#parents.length)];
    switch (Math.floor(random() * 8)) {
      case 0:
      case 1:
      case 2:
        return this.#keep(
          await connection.transaction((open) => family(client, open)),
        );
      case 3:
        return this.#keep(await family(client, connection));
      case 4:
        if (parent !== undefined) await child(client, connection, parent);
        return;
      case 5:
        if (parent === undefined) return;
        await connection.transaction(async (open) => {
          await open.queryAll([
            sql`insert into notes (token, who, n) values (${parent.token}, ${who}, ${next()}) returning id, at`,
            sql`select id, token, who, n, at from parents where id = ${parent.id}`,
          ]);
          await child(client, open, parent);
        });
        return;
      case 6:
        return await rolledBack(client);
      default:
        return await refused(client);
    }
  }

  #keep(parent: Parent): void {
    this.#parents.push(parent);
    if (this.#parents.length > PARENTS_KEPT) this.#parents.shift();
  }
}

/** A parent and what belongs to it. */
export async function family(
  client: Pick<Client, "who" | "next" | "isUntold">,
  querier: Querier,
): Promise<Parent> {
  const { who, next, isUntold } = client;
  const n = next();
  const parent = told(
    await querier.query(
      sql`insert into parents (who, n) values (${who}, ${n}) returning id, token, at`,
    ),
  );
  // Prepared clients have a star described once.
  const made = raw(who % PROTOCOLS.length < 2 ? "id, at" : "*");
  await querier.queryAll([
    sql`insert into notes (token, who, n) values (${parent.token}, ${who}, ${n}) returning ${made}`,
    sql`insert into children (parent_id, who, n) values (${parent.id}, ${who}, ${n}), (${parent.id}, ${who}, ${next()}) returning id, at`,
    ...(isUntold
      ? [sql`insert into events (who, n) values (${who}, ${n})`]
      : []),
  ]);
  await querier.query(sql`select pg_sleep(seconds) from pace`);
  await child(client, querier, parent);
  return parent;
}

async function child(
  { who, next }: Pick<Client, "who" | "next">,
  querier: Querier,
  parent: Parent,
): Promise<void> {
  const [row] = await querier.query(
    sql`insert into children (parent_id, who, n) values (${parent.id}, ${who}, ${next()}) returning id, at`,
  );
  await querier.query(
    sql`insert into bills (child_id) values (${
      Number(row?.id)
    }) returning code, at`,
  );
}

/** Numbers that no row has. */
async function rolledBack(client: Client): Promise<void> {
  try {
    await client.connection.transaction(async (open) => {
      await family(client, open);
      throw AWAY;
    });
  } catch (error) {
    if (error !== AWAY) throw error;
  }
}

/** Numbers that are drawn for a row that is there already. */
async function refused({ connection, random }: Client): Promise<void> {
  try {
    if (random() < 0.5) await connection.query(DUPLICATE);
    else await connection.transaction((open) => open.query(DUPLICATE));
  } catch (error) {
    if (sqlstateOf(error) !== "23505") throw error;
  }
}

function told([row]: readonly Row[]): Parent {
  return { id: String(row?.id), token: String(row?.token) };
}
