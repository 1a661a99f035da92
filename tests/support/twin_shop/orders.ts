import { chance, type Client, create, pick, type Step } from "./client.ts";
import type { Querier } from "./connection.ts";
import { insert, insertReturning, sql } from "./statement.ts";

/** Orders that are paid, or looked at, by others. */
const ORDERS_KEPT = 200;
/** In this share of orders each statement is a transaction of its own. */
const AUTOCOMMIT_SHARE = 0.3;
const CANCELLED = new Error("cancelled");

/** What is done with orders. */
export const ORDERS: readonly Step[] = [
  {
    name: "place",
    weight: 16,
    async run(client) {
      const { connection, shop, index } = client;
      const id = chance(client, AUTOCOMMIT_SHARE)
        ? await place(client, connection)
        : await connection.transaction((open) => place(client, open));
      client.order = id;
      shop.orders.push({ id, client: index });
      if (shop.orders.length > ORDERS_KEPT) shop.orders.shift();
    },
  },
  {
    name: "cancel",
    weight: 2,
    async run(client) {
      try {
        await client.connection.transaction(async (open) => {
          await place(client, open);
          throw CANCELLED;
        });
      } catch (error) {
        if (error !== CANCELLED) throw error;
      }
    },
  },
  {
    name: "read back",
    weight: 12,
    async run({ connection, order, customer }) {
      if (order === undefined) return;
      await connection.queryAll([
        sql`select id, token, status, total, created_at, updated_at from orders where id = ${order}`,
        sql`select id, product_id, quantity from order_items where order_id = ${order} order by id`,
        sql`select status, at from audit where order_id = ${order} order by at, id`,
        sql`select id, status, created_at from orders where customer_id = ${customer.id} order by created_at desc, id desc limit 10`,
      ]);
    },
  },
  {
    name: "pay",
    weight: 10,
    async run(client) {
      const { connection, maker, shop, index } = client;
      if (shop.orders.length === 0) return;
      const others = shop.orders.filter(({ client }) => client !== index);
      const { id } = pick(client, others.length > 0 ? others : shop.orders);
      await connection.transaction(async (open) => {
        const [order] = await open.query(
          sql`select id, status, total from orders where id = ${id} for update`,
        );
        if (order?.status !== "new") return;
        await open.query(
          sql`update orders set status = 'paid', updated_at = ${maker.now()} where id = ${id}`,
        );
        await create(open, "payments", {
          id: maker.id(),
          paid_at: maker.time(),
          order_id: id,
          amount: Number(order.total),
        });
      });
    },
  },
];

/** Inserts an order with what belongs to it; gives its id. */
async function place(client: Client, querier: Querier): Promise<string> {
  const { maker, shop, customer } = client;
  const products = [pick(client, shop.products), pick(client, shop.products)]
    // In one order for all, so that clients do not wait for each other in a circle.
    .sort((a, b) => a.name < b.name ? -1 : 1);
  const { id } = await create(querier, "orders", {
    id: maker.id(),
    token: maker.token(),
    created_at: maker.time(),
    updated_at: maker.time(),
    customer_id: customer.id,
    status: "new",
    total: 100 + Math.floor(client.random() * 900),
  });
  const order_id = String(id);
  await querier.queryAll([
    ...products.map((product) =>
      insertReturning("order_items", {
        id: maker.id(),
        order_id,
        product_id: product.id,
        quantity: 1,
      })
    ),
    insert("outbox", {
      id: maker.id(),
      created_at: maker.time(),
      topic: "order placed",
      order_id,
    }),
    insert("jobs", { id: maker.id(), created_at: maker.time(), order_id }),
    ...products.map((product) =>
      sql`update products set stock = stock - 1 where id = ${product.id}`
    ),
  ]);
  return order_id;
}
