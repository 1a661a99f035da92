import postgres from "postgres";
import { type Connection, oneByOne, type Querier } from "./connection.ts";
import { type Statement, withParameters } from "./statement.ts";

/** postgres.js: named statements; queries that nobody awaits yet are a pipeline. */
export function connectPostgresJs(
  url: string,
  protocol: "prepared" | "pipelined",
): Connection {
  const client = postgres(url, {
    max: 1,
    fetch_types: false,
    onnotice() {},
  });
  const querierOf = (on: postgres.Sql | postgres.TransactionSql): Querier => {
    const query = (statement: Statement) =>
      on.unsafe(withParameters(statement), [...statement.values], {
        prepare: true,
      });
    return protocol === "prepared" ? oneByOne(query) : {
      query,
      queryAll: (statements) => Promise.all(statements.map(query)),
    };
  };
  return {
    ...querierOf(client),
    async transaction<T>(body: (open: Querier) => Promise<T>): Promise<T> {
      let result: { readonly value: T } | undefined;
      await client.begin(async (open) => {
        result = { value: await body(querierOf(open)) };
      });
      if (result === undefined) throw new Error("The transaction did not run");
      return result.value;
    },
    end: () => client.end(),
  };
}
