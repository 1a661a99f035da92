import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import postgres from "postgres";
import { SHOP_SIZE } from "./schema.ts";

/** One client of the workload, with what it owns. */
export interface WorkloadClient {
  sql: postgres.Sql;
  /** From 0. */
  readonly index: number;
  readonly clients: number;
  /** From 0 to less than 1. */
  readonly random: () => number;
  /** Orders that it placed and did not delete. */
  readonly orders: number[];
  /** The last id it gave out. */
  lastId: number;
  errorsExpected: number;
  reconnect(): Promise<void>;
}

export interface Step {
  readonly name: string;
  /** How often it is taken, next to the others'. */
  readonly weight: number;
  readonly run: (client: WorkloadClient) => Promise<unknown>;
}

/** Works on PostgreSQL 16 and older only: 17 moved or removed these columns. */
export const UPGRADE_BREAKAGE: Step = {
  name: "upgrade breakage",
  weight: 1,
  run: ({ sql }) =>
    sql`select checkpoints_timed, buffers_backend from pg_stat_bgwriter`,
};

/**
 * What a client can do. Every reply depends on rows that never change and on
 * what this client did before, and the tables at the end do not depend on the
 * order of different clients' transactions: a client changes rows of its own,
 * except stock, which it only adds to and never reads.
 */
export const STEPS: readonly Step[] = [
  { name: "find customer", weight: 20, run: findCustomer },
  { name: "search products", weight: 12, run: searchProducts },
  { name: "order history", weight: 14, run: orderHistory },
  { name: "sales report", weight: 3, run: salesReport },
  { name: "ranking", weight: 3, run: ranking },
  { name: "pipelined reads", weight: 4, run: pipelinedReads },
  { name: "cursor", weight: 2, run: cursor },
  { name: "place order", weight: 14, run: placeOrder },
  { name: "pay order", weight: 8, run: payOrder },
  { name: "delete order", weight: 3, run: deleteOrder },
  { name: "set preferences", weight: 5, run: setPreferences },
  { name: "several statements", weight: 2, run: severalStatements },
  { name: "temporary table", weight: 1, run: temporaryTable },
  { name: "savepoint", weight: 2, run: savepoint },
  { name: "rollback", weight: 2, run: rollback },
  { name: "copy in", weight: 2, run: copyIn },
  { name: "copy out", weight: 2, run: copyOut },
  { name: "unique violation", weight: 2, run: uniqueViolation },
  { name: "syntax error", weight: 1, run: syntaxError },
  { name: "division by zero", weight: 1, run: divisionByZero },
  { name: "reconnect", weight: 1, run: (client) => client.reconnect() },
];

/** Ids of different clients never meet, nor those of the loaded rows. */
const IDS_PER_CLIENT = 1_000_000_000;
/** Lines of one COPY. */
const COPY_LINES = 50;
/** The clock of the workload: a second for each id. */
const EPOCH_MS = Date.UTC(2024, 5, 1);

function nextId(client: WorkloadClient): number {
  client.lastId += 1;
  return (client.index + 1) * IDS_PER_CLIENT + client.lastId;
}

function timeOf(id: number): Date {
  return new Date(EPOCH_MS + (id % IDS_PER_CLIENT) * 1000);
}

/** A whole number from 1 to `most`. */
function pick(client: WorkloadClient, most: number): number {
  return 1 + Math.floor(client.random() * most);
}

/** A customer that no other client changes. */
function ownCustomer(client: WorkloadClient): number {
  const own = Math.floor(SHOP_SIZE.customers / client.clients);
  return (pick(client, own) - 1) * client.clients + client.index + 1;
}

/** Counts the error with this SQLSTATE; anything else is thrown. */
async function expectError(
  client: WorkloadClient,
  sqlstate: string,
  statement: PromiseLike<unknown>,
): Promise<void> {
  try {
    await statement;
  } catch (error) {
    if (
      !(error instanceof postgres.PostgresError) || error.code !== sqlstate
    ) throw error;
    client.errorsExpected++;
    return;
  }
  throw new Error(`A statement succeeded that should fail with ${sqlstate}`);
}

function findCustomer(client: WorkloadClient) {
  const email = `customer${ownCustomer(client)}@example.com`;
  return client.sql`select * from customers where email = ${email}`;
}

function searchProducts(client: WorkloadClient) {
  const tag = `tag${pick(client, 12)}`;
  return client.sql`
    select id, sku, name, price, tags from products
    where ${tag} = any(tags) order by price, id limit 20`;
}

function orderHistory(client: WorkloadClient) {
  return client.sql`
    select o.id, o.status, o.created_at, o.note, i.line, p.name,
      i.quantity * i.price as amount
    from orders o
    join order_items i on i.order_id = o.id
    join products p on p.id = i.product_id
    where o.customer_id = ${ownCustomer(client)}
    order by o.id, i.line`;
}

/** Of the loaded orders: their items never change. */
function salesReport(client: WorkloadClient) {
  return client.sql`
    select p.id, p.name, sum(i.quantity) as pieces,
      sum(i.quantity * i.price) as revenue, round(avg(i.price), 2) as average
    from order_items i join products p on p.id = i.product_id
    where i.order_id between ${pick(client, 500)} and ${SHOP_SIZE.orders}
    group by p.id, p.name
    order by revenue desc, p.id limit 10`;
}

function ranking(client: WorkloadClient) {
  return client.sql`
    select order_id, line, rank() over (partition by order_id order by price, line)
    from order_items where order_id <= ${pick(client, 100)}
    order by order_id, line`;
}

/** On one connection, without waiting in between. */
function pipelinedReads(client: WorkloadClient) {
  return Promise.all(Array.from({ length: 5 }, () => {
    const id = pick(client, SHOP_SIZE.products);
    return client.sql`select name, price from products where id = ${id}`;
  }));
}

async function cursor(client: WorkloadClient) {
  const query = client.sql`select id, sku from products order by id`;
  await query.cursor(80, () => {});
}

async function placeOrder(client: WorkloadClient) {
  const id = nextId(client);
  // In ascending order, as everybody does: no deadlocks.
  const products = [1, 2, 3].map(() => pick(client, SHOP_SIZE.products));
  const lines = [...new Set(products)].sort((a, b) => a - b);
  await client.sql.begin(async (sql) => {
    await sql`
      insert into orders (id, customer_id, status, created_at)
      values (${id}, ${ownCustomer(client)}, 'new', ${timeOf(id)})`;
    for (const [line, product] of lines.entries()) {
      const quantity = pick(client, 4);
      await sql`
        insert into order_items (order_id, line, product_id, quantity, price)
        select ${id}, ${line + 1}, id, ${quantity}, price
        from products where id = ${product}`;
      await sql`
        update stock set quantity = quantity - ${quantity},
          sold = sold + ${quantity} where product_id = ${product}`;
    }
    await sql`
      insert into audit (client, entry, at, what)
      values (${client.index + 1}, ${id}, ${timeOf(id)}, 'order placed')`;
  });
  client.orders.push(id);
}

function payOrder(client: WorkloadClient) {
  const id = client.orders[pick(client, client.orders.length || 1) - 1] ?? 0;
  return client.sql`
    update orders set status = 'paid' where id = ${id} returning id, status`;
}

async function deleteOrder(client: WorkloadClient) {
  const id = client.orders.shift() ?? 0;
  await client.sql`delete from orders where id = ${id}`;
}

function setPreferences(client: WorkloadClient) {
  const level = pick(client, 100);
  return client.sql`
    update customers
    set preferences = preferences || jsonb_build_object('level', ${level}::int)
    where id = ${ownCustomer(client)} returning id, preferences`;
}

/** In one simple query: one transaction with several replies. */
function severalStatements(client: WorkloadClient) {
  const id = ownCustomer(client);
  return client.sql.unsafe(
    `update customers set name = 'Customer ${id}, again' where id = ${id};
     select name from customers where id = ${id}; select 1 as one`,
  ).simple();
}

async function temporaryTable(client: WorkloadClient) {
  await client.sql.begin(async (sql) => {
    await sql`set local statement_timeout = '60s'`;
    await sql`create temporary table cart (product integer) on commit drop`;
    await sql`insert into cart values (1), (2), (3)`;
    await sql`
      select p.name from cart join products p on p.id = product order by p.id`;
  });
}

async function savepoint(client: WorkloadClient) {
  await client.sql.begin(async (sql) => {
    const id = ownCustomer(client);
    await sql`update customers set name = ${`Saved ${id}`} where id = ${id}`;
    await expectError(
      client,
      "23505",
      sql.savepoint((inner) =>
        inner`
          insert into customers (id, email, name, country, created_at)
          values (${id}, 'nobody', 'Nobody', 'DE', ${timeOf(id)})`
      ),
    );
    await sql`select name from customers where id = ${id}`;
  });
}

async function rollback(client: WorkloadClient) {
  const id = nextId(client);
  const changedMind = new Error("rollback");
  try {
    await client.sql.begin(async (sql) => {
      await sql`
        insert into orders (id, customer_id, status, created_at)
        values (${id}, ${ownCustomer(client)}, 'new', ${timeOf(id)})`;
      throw changedMind;
    });
  } catch (error) {
    if (error !== changedMind) throw error;
  }
}

async function copyIn(client: WorkloadClient) {
  const rows = Array.from({ length: COPY_LINES }, () => {
    const id = nextId(client);
    const time = timeOf(id).toISOString();
    return `${client.index + 1}\t${id}\t${time}\tcopied, é\t\\N\n`;
  });
  await pipeline(
    Readable.from(rows),
    await client.sql`copy audit from stdin`.writable(),
  );
}

async function copyOut(client: WorkloadClient) {
  const lines = await client.sql.unsafe(
    `copy (select * from audit where client in (0, ${client.index + 1})
     order by client, entry limit 400) to stdout`,
  ).readable();
  await lines.forEach(() => {});
}

function uniqueViolation(client: WorkloadClient) {
  return expectError(
    client,
    "23505",
    client.sql`
      insert into products (id, sku, name, price)
      values (${pick(client, SHOP_SIZE.products)}, 'none', 'None', 1)`,
  );
}

function syntaxError(client: WorkloadClient) {
  return expectError(
    client,
    "42601",
    client.sql.unsafe("selec name from customers"),
  );
}

function divisionByZero(client: WorkloadClient) {
  return expectError(
    client,
    "22012",
    client.sql`select id / (id - id) from products where id = 1`,
  );
}
