import type { Statement } from "./statement.ts";

/** As drivers send statements. */
export const PROTOCOLS = [
  "simple",
  "extended",
  "prepared",
  "pipelined",
] as const;
export type Protocol = typeof PROTOCOLS[number];

export type Row = Readonly<Record<string, unknown>>;

/** Where statements go: a connection, or its transaction. */
export interface Querier {
  /** @throws {Error} with SQLSTATE in `code`. */
  query(statement: Statement): Promise<readonly Row[]>;
  /** Statements that do not need each other's answers: at once, where the protocol is "pipelined". */
  queryAll(
    statements: readonly Statement[],
  ): Promise<readonly (readonly Row[])[]>;
}

export interface Connection extends Querier {
  /** Rolls back if the body throws, and throws the same. */
  transaction<T>(body: (open: Querier) => Promise<T>): Promise<T>;
  end(): Promise<void>;
}

/** A querier that sends one statement after the other. */
export function oneByOne(query: Querier["query"]): Querier {
  return {
    query,
    async queryAll(statements) {
      const results = [];
      for (const one of statements) results.push(await query(one));
      return results;
    },
  };
}

export function sqlstateOf(error: unknown): string | undefined {
  return error instanceof Error && "code" in error
    ? String(error.code)
    : undefined;
}
