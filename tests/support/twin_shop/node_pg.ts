// @ts-types="@types/pg"
import pg from "pg";
import { type Connection, oneByOne } from "./connection.ts";
import { sql, withLiterals, withParameters } from "./statement.ts";

const BEGIN = sql`begin`;
const COMMIT = sql`commit`;
const ROLLBACK = sql`rollback`;

/** pg: the simple protocol for a text alone, an unnamed statement for one with values. */
export async function connectNodePg(
  url: string,
  protocol: "simple" | "extended",
): Promise<Connection> {
  const client = new pg.Client(url);
  await client.connect();
  const querier = oneByOne(async (statement) => {
    const { rows } = protocol === "simple"
      ? await client.query(withLiterals(statement))
      : await client.query(withParameters(statement), [...statement.values]);
    return rows;
  });
  return {
    ...querier,
    async transaction(body) {
      await querier.query(BEGIN);
      try {
        const result = await body(querier);
        await querier.query(COMMIT);
        return result;
      } catch (error) {
        await querier.query(ROLLBACK);
        throw error;
      }
    },
    end: () => client.end(),
  };
}
