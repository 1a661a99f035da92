import { AdminError, SQLSTATE } from "./admin_error.ts";
import type { Cell } from "../plugin/api.ts";
import type { Plan, PlanSession } from "./plan.ts";
import type { ResultColumn } from "./result_types.ts";
import { keyword, type Token } from "./statement.ts";

/** PostgreSQL's MaxTupleAttributeNumber. */
const MAX_COLUMNS = 1664;

/** One expression of a SELECT list that is understood. */
interface Scalar {
  readonly column: ResultColumn;
  value(session: PlanSession): Cell;
}

/** Functions and keywords that drivers ask for; those with `()` may carry `pg_catalog.`. */
const FUNCTIONS: Readonly<
  Record<string, { type: ResultColumn["type"]; value: Scalar["value"] }>
> = {
  version: {
    type: "text",
    value: ({ settings }) => `PostgreSQL ${settings.get("server_version")}`,
  },
  current_database: { type: "text", value: ({ database }) => database },
  current_catalog: { type: "text", value: ({ database }) => database },
  current_schema: { type: "text", value: () => null },
  current_user: { type: "text", value: ({ user }) => user },
  session_user: { type: "text", value: ({ user }) => user },
  user: { type: "text", value: ({ user }) => user },
  pg_backend_pid: { type: "int4", value: ({ processId }) => processId },
  pg_is_in_recovery: { type: "bool", value: () => false },
  // A pool's way to clean up: nothing is locked here.
  pg_advisory_unlock_all: { type: "text", value: () => "" },
  now: { type: "timestamptz", value: () => new Date() },
  current_timestamp: { type: "timestamptz", value: () => new Date() },
};

/**
 * A SELECT without a table: constants and the {@linkcode FUNCTIONS}. A query
 * of the catalog gets its columns and zero rows.
 *
 * @throws {AdminError} 0A000 for any other query
 */
export function selectPlan(tokens: readonly Token[]): Plan {
  const list = selectList(tokens);
  if (list.length > MAX_COLUMNS) {
    throw new AdminError(
      SQLSTATE.limitExceeded,
      `a result can have at most ${MAX_COLUMNS} columns`,
    );
  }
  if (readsCatalog(tokens)) {
    const columns = list.map((item): ResultColumn => ({
      name: columnName(item),
      type: "text",
    }));
    return { columns, run: () => ({ rows: [], tag: "SELECT" }) };
  }
  const scalars = list.map(scalar);
  if (scalars.length === 0 || scalars.includes(undefined)) {
    throw new AdminError(
      SQLSTATE.featureNotSupported,
      "the console runs commands, not queries",
      "SHOW HELP lists the commands.",
    );
  }
  const known = scalars.filter((item) => item !== undefined);
  return {
    columns: known.map(({ column }) => column),
    run: (session) => ({
      rows: [known.map((item) => item.value(session))],
      tag: "SELECT",
    }),
  };
}

function readsCatalog(tokens: readonly Token[]): boolean {
  return tokens.some((token, index) =>
    ["FROM", "JOIN"].includes(keyword(token)) &&
    /^(pg_|information_schema$)/i.test(tokens[index + 1]?.text ?? "")
  );
}

/** The tokens of each item between SELECT and FROM; none for a query that does not begin with SELECT. */
function selectList(tokens: readonly Token[]): Token[][] {
  if (keyword(tokens[0]) !== "SELECT") return [];
  const items: Token[][] = [[]];
  let depth = 0;
  for (const token of tokens.slice(1)) {
    if (token.kind === "mark") {
      if (token.text === "(" || token.text === "[") depth++;
      if (token.text === ")" || token.text === "]") depth--;
    }
    if (depth === 0 && keyword(token) === "FROM") break;
    if (depth === 0 && token.kind === "mark" && token.text === ",") {
      items.push([]);
    } else {
      items.at(-1)?.push(token);
    }
  }
  return items;
}

/** As PostgreSQL names a column: its alias, else its last name. */
function columnName(item: readonly Token[]): string {
  const last = item.at(-1);
  return last?.kind === "word" || last?.kind === "quoted"
    ? last.text
    : "?column?";
}

function scalar(item: readonly Token[]): Scalar | undefined {
  const as = item.findIndex((token) => keyword(token) === "AS");
  const expression = as < 0 ? item : item.slice(0, as);
  const alias = as < 0 ? undefined : columnName(item);
  const first = expression[0];
  if (expression.length === 1 && first !== undefined) {
    const constant = constantOf(first);
    if (constant !== undefined) {
      const [name, type, value] = constant;
      return { column: { name: alias ?? name, type }, value: () => value };
    }
  }
  const name = functionName(expression);
  if (name === undefined || !Object.hasOwn(FUNCTIONS, name)) return undefined;
  const found = FUNCTIONS[name];
  if (found === undefined) return undefined;
  return {
    column: { name: alias ?? name, type: found.type },
    value: found.value,
  };
}

function constantOf(
  token: Token,
): [name: string, type: ResultColumn["type"], value: Cell] | undefined {
  const name = "?column?";
  if (token.kind === "string") return [name, "text", token.text];
  if (token.kind === "number") {
    if (!/^\d+$/.test(token.text)) return [name, "float8", Number(token.text)];
    const big = BigInt(token.text);
    if (big >= 2n ** 63n) return undefined;
    return [name, big < 2n ** 31n ? "int4" : "int8", big];
  }
  switch (keyword(token)) {
    case "TRUE":
      return ["bool", "bool", true];
    case "FALSE":
      return ["bool", "bool", false];
    case "NULL":
      return [name, "text", null];
    default:
      return undefined;
  }
}

/** `name`, `name()`, `pg_catalog.name()`. */
function functionName(expression: readonly Token[]): string | undefined {
  const text = expression.map((token) => token.text.toLowerCase()).join("");
  return /^(?:pg_catalog\.)?([a-z_]+)(?:\(\))?$/.exec(text)?.[1];
}
