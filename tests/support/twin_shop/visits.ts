import { chance, create, pick, type Step } from "./client.ts";
import { sqlstateOf } from "./connection.ts";
import { sql } from "./statement.ts";

const NEVER = "2099-01-01T00:00:00.000Z";
const UNIQUE_VIOLATION = "23505";

/** What visitors do before they order. */
export const VISITS: readonly Step[] = [
  {
    name: "log in",
    weight: 6,
    async run(client) {
      const { connection, maker, shop } = client;
      client.customer = pick(client, shop.customers);
      await connection.query(
        sql`select id, name from customers where email = ${client.customer.name}`,
      );
      const { token } = await create(connection, "sessions", {
        id: maker.id(),
        token: maker.token(),
        created_at: maker.time(),
        customer_id: client.customer.id,
        expires_at: NEVER,
      });
      client.token = String(token);
    },
  },
  {
    name: "be seen",
    weight: 8,
    async run({ connection, maker, token }) {
      if (token === undefined) return;
      await connection.query(
        sql`select id, customer_id, created_at from sessions where token = ${token} and expires_at > ${maker.now()}`,
      );
      await connection.query(
        sql`update sessions set last_seen = ${maker.now()} where token = ${token}`,
      );
    },
  },
  {
    name: "sign up",
    weight: 2,
    async run(client) {
      const { connection, maker, shop } = client;
      const taken = chance(client, 0.5);
      const email = taken
        ? pick(client, shop.customers).name
        : `${client.random()}@example.net`;
      try {
        await create(connection, "customers", {
          id: maker.id(),
          created_at: maker.time(),
          email,
          name: "new",
        });
      } catch (error) {
        if (!taken || sqlstateOf(error) !== UNIQUE_VIOLATION) throw error;
      }
    },
  },
  {
    name: "browse",
    weight: 16,
    async run(client) {
      const { connection, shop } = client;
      await connection.queryAll([
        sql`select id, sku, price from products where id = ${
          pick(client, shop.products).id
        } limit 1`,
        // Ties: 40 products have seven prices.
        sql`select sku, price from products order by price`,
      ]);
    },
  },
  {
    name: "report",
    weight: 3,
    async run({ connection }) {
      await connection.queryAll([
        sql`select count(*), sum(total) from orders`,
        sql`select status, count(*) from orders group by status order by status`,
      ]);
    },
  },
  {
    name: "lock",
    weight: 5,
    async run(client) {
      const { connection, maker, index, shop } = client;
      const name = `lock ${Math.floor(client.random() * 3)}`;
      try {
        await create(connection, "locks", {
          name,
          owner: index,
          created_at: maker.time(),
        });
      } catch (error) {
        if (sqlstateOf(error) !== UNIQUE_VIOLATION) throw error;
        return;
      }
      await connection.query(
        sql`update products set stock = stock + 1 where id = ${
          pick(client, shop.products).id
        }`,
      );
      await connection.query(sql`delete from locks where name = ${name}`);
    },
  },
];
