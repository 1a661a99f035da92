import { chance, type Step } from "./client.ts";
import { idType } from "./schema.ts";
import { raw, sql } from "./statement.ts";

/** What workers do. */
export const WORK: readonly Step[] = [
  {
    name: "job",
    weight: 14,
    async run(client) {
      const { connection, maker } = client;
      const finish = (id: string) =>
        sql`update jobs set status = 'done' where id = ${id}`;
      const later = chance(client, 0.5);
      const taken = await connection.transaction(async (open) => {
        const [job] = await open.query(
          sql`select id, order_id from jobs where status = 'ready' order by id limit 1 for update skip locked`,
        );
        if (job === undefined) return undefined;
        const id = String(job.id);
        await open.queryAll([
          sql`update jobs set status = 'taken', locked_at = ${maker.now()} where id = ${id}`,
          sql`update orders set total = total + 1, updated_at = ${maker.now()} where id = ${
            String(job.order_id)
          }`,
        ]);
        if (!later) await open.query(finish(id));
        return id;
      });
      if (later && taken !== undefined) await connection.query(finish(taken));
    },
  },
  {
    name: "outbox",
    weight: 6,
    async run({ connection, shop }) {
      const ids = raw(`${idType(shop.way)}[]`);
      await connection.transaction(async (open) => {
        const rows = await open.query(
          sql`select id, topic, order_id from outbox order by id limit 5 for update skip locked`,
        );
        if (rows.length === 0) return;
        await open.query(
          sql`delete from outbox where id = any(${`{${
            rows.map(({ id }) => id)
          }}`}::${ids})`,
        );
      });
    },
  },
];
