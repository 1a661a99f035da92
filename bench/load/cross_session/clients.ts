import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { seededRandom } from "../../../src/cli/demo/workload.ts";
import {
  connectNodePg,
  insert,
  insertReturning,
  type NewRow,
  type Querier,
  raw,
  sql,
} from "../../../tests/support/twin_shop/mod.ts";
import { KIND_OF } from "./schema.ts";

/** How a client comes by the keys of new rows. */
export const TOLD = [
  /** It makes them itself. */
  "client",
  /** By RETURNING. */
  "returning",
  /** As pg-retest's own load does it: by currval(), and not of uuids. */
  "currval",
] as const;
export type Told = typeof TOLD[number];

export interface ClientsOptions {
  readonly told: Told;
  readonly clients: number;
  readonly durationMs: number;
  /** A client's pause between two steps, on average. */
  readonly thinkMs: number;
}

/** Committed keys of each table that all clients use: the newest. */
const KEYS_KEPT = 200;
const PRODUCTS = 1_000;

/** What all clients share. */
interface Shared {
  readonly told: Told;
  readonly keys: Map<string, string[]>;
  next: number;
}

interface Client {
  readonly shared: Shared;
  readonly querier: Querier;
  readonly random: () => number;
  /** Keys of the transaction, everybody's once it is committed. */
  readonly made: { readonly table: string; readonly id: string }[];
}

type Step = (client: Client) => Promise<unknown>;

/** Steps with their weights: 60 of 100 write. A step that needs a key which nobody has made yet does nothing. */
const STEPS: readonly (readonly [weight: number, Step])[] = [
  [8, (client) => create(client, "customers", { email: randomUUID() })],
  [10, (client) =>
    create(client, "orders", {
      customer_id: key(client, "customers"),
      total: upTo(client, 500),
    })],
  [8, async (client) => {
    const order_id = key(client, "orders");
    for (let i = upTo(client, 3); i > 0; i--) {
      const product_id = upTo(client, PRODUCTS);
      await create(client, "order_items", {
        order_id,
        product_id,
        quantity: i,
      });
    }
  }],
  [
    4,
    (client) =>
      create(client, "carts", { customer_id: key(client, "customers") }),
  ],
  [5, (client) =>
    create(client, "cart_items", {
      cart_id: key(client, "carts"),
      product_id: upTo(client, PRODUCTS),
    })],
  [5, (client) =>
    create(client, "audit_log", {
      what: "seen",
      order_id: key(client, "orders"),
    })],
  [
    7,
    (client) =>
      create(client, "events", {
        order_id: key(client, "orders"),
        kind: "sent",
      }),
  ],
  [3, (client) =>
    create(client, "event_notes", {
      event_id: key(client, "events"),
      note: "late",
    })],
  [5, (client) =>
    client.querier.query(
      sql`update orders set status = 'paid' where id = ${
        key(client, "orders")
      }`,
    )],
  [5, (client) =>
    client.querier.query(
      sql`update products set stock = stock + 1 where id = ${
        upTo(client, PRODUCTS)
      }`,
    )],
  [16, (client) =>
    client.querier.query(
      sql`select o.id, o.total, o.status, count(i.id) from orders o left join order_items i on i.order_id = o.id where o.customer_id = ${
        key(client, "customers")
      } group by o.id order by o.id desc limit 10`,
    )],
  [12, (client) =>
    client.querier.query(
      sql`select e.id, e.kind, e.at from events e where e.order_id = ${
        key(client, "orders")
      } order by e.at, e.id`,
    )],
  [12, (client) =>
    client.querier.query(
      sql`select i.id, i.product_id, i.added_at from cart_items i where i.cart_id = ${
        key(client, "carts")
      } order by i.id`,
    )],
];
const BY_WEIGHT = STEPS.flatMap(([weight, step]) =>
  Array.from({ length: weight }, () => step)
);

/** Thrown where a step needs a key of a table that has none yet. */
const NO_KEY = new Error("No key");

/** Runs the clients. @returns errors that no step expects. */
export async function runClients(
  url: string,
  { told, clients, durationMs, thinkMs }: ClientsOptions,
): Promise<readonly string[]> {
  const shared: Shared = { told, keys: new Map(), next: 1 };
  const end = performance.now() + durationMs;
  const unexpected: string[] = [];
  await Promise.all(Array.from({ length: clients }, async (_, index) => {
    const random = seededRandom(index + 1);
    const connection = await connectNodePg(url, "extended");
    while (performance.now() < end) {
      const step = BY_WEIGHT[Math.floor(random() * BY_WEIGHT.length)];
      try {
        const made: Client["made"] = [];
        await connection.transaction(async (querier) => {
          await step?.({ shared, querier, random, made });
        });
        for (const { table, id } of made) publish(shared, table, id);
      } catch (error) {
        if (error !== NO_KEY) unexpected.push(String(error));
      }
      await delay(2 * thinkMs * random());
    }
    await connection.end();
  }));
  return unexpected;
}

function publish({ keys }: Shared, table: string, id: string): void {
  const known = keys.get(table) ?? [];
  keys.set(table, known);
  known.push(id);
  if (known.length > KEYS_KEPT) known.shift();
}

async function create(
  { shared, querier, made }: Client,
  table: string,
  row: NewRow,
): Promise<void> {
  const isUuid = KIND_OF[table] === "uuid";
  let id: string;
  switch (shared.told) {
    case "client":
      id = isUuid ? randomUUID() : String(shared.next++);
      await querier.query(insert(table, { id, ...row }));
      break;
    case "returning": {
      const times = TIMES[table] === undefined
        ? {}
        : { [TIMES[table]]: undefined };
      const [told] = await querier.query(
        insertReturning(table, { ...row, id: undefined, ...times }),
      );
      id = String(told?.id);
      break;
    }
    case "currval": {
      await querier.query(insert(table, row));
      if (isUuid) return;
      const name = raw(`'${table}_id_seq'`);
      const [told] = await querier.query(sql`select currval(${name}) as id`);
      id = String(told?.id);
    }
  }
  made.push({ table, id });
}

/** What else chance makes of a row. */
const TIMES: Readonly<Record<string, string>> = {
  customers: "created_at",
  orders: "created_at",
  carts: "token",
  cart_items: "added_at",
  audit_log: "at",
  events: "at",
};

/** A key that whichever session has made. */
function key(
  { shared, random }: Pick<Client, "shared" | "random">,
  table: string,
): string {
  const keys = shared.keys.get(table) ?? [];
  const found = keys[Math.floor(random() * keys.length)];
  if (found === undefined) throw NO_KEY;
  return found;
}

function upTo({ random }: Pick<Client, "random">, most: number): number {
  return 1 + Math.floor(random() * most);
}
