import { normalizeSync, parseSync } from "libpg-query";
import {
  Findings,
  isLimited,
  lastName,
  type Node,
  onlyRelation,
  relationName,
} from "./findings.ts";
import { fingerprintOfTree } from "./fingerprint.ts";
import { MAX_TOLD_DIGITS } from "./literal_free_key.ts";
import type { Link, Shape, StatementKind, Statements } from "./shape.ts";

/** Bound in characters of a normalised text that is kept. */
export const MAX_TEXT = 2_000;

/**
 * Parses SQL with PostgreSQL's own parser, and says of each statement what
 * replaying and comparing need to know. The module must be loaded.
 *
 * @returns undefined if the text does not parse.
 */
export function analyze(sql: string): Statements | undefined {
  try {
    const { stmts = [] } = parseSync(sql) as { stmts?: RawStatement[] };
    // Locations count bytes of UTF-8, not UTF-16 units.
    const bytes = encoder.encode(sql);
    const shapes: Shape[] = [];
    const links: (Link | undefined)[] = [];
    for (const { stmt, stmt_location = 0, stmt_len } of stmts) {
      const end = stmt_len === undefined
        ? bytes.length
        : stmt_location + stmt_len;
      const text = decoder.decode(bytes.subarray(stmt_location, end)).trim();
      const shape = shapeOf(stmt as Node, text);
      shapes.push(shape);
      links.push(linkOf(stmt as Node, shape));
    }
    return { shapes, links: links.some(Boolean) ? links : undefined };
  } catch {
    // A syntax error here is the servers' business: they have said so.
    return undefined;
  }
}

/** A named query has no text of its own: it is known by its PREPARE or DECLARE. */
function linkOf(stmt: Node, { fingerprint, text }: Shape): Link | undefined {
  const [type = "", body = {}] = Object.entries(stmt)[0] as [string, Node];
  const named = () => {
    const query = body.query as Node;
    return { ...describe(query), fingerprint, text };
  };
  switch (type) {
    case "PrepareStmt":
      return { kind: "prepared", name: String(body.name), defines: named() };
    case "DeclareCursorStmt":
      return {
        kind: "cursor",
        name: String(body.portalname),
        defines: named(),
      };
    case "ExecuteStmt":
      return { kind: "prepared", name: String(body.name), defines: undefined };
    case "FetchStmt":
      return {
        kind: "cursor",
        name: String(body.portalname),
        defines: undefined,
      };
    default:
      return undefined;
  }
}

interface RawStatement {
  readonly stmt?: unknown;
  readonly stmt_location?: number;
  readonly stmt_len?: number;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

function shapeOf(stmt: Node, text: string): Shape {
  return {
    fingerprint: fingerprintOfTree(stmt),
    text: normalizeSync(text).slice(0, MAX_TEXT),
    ...describe(stmt),
  };
}

/** All of a shape that its tree tells. */
function describe(stmt: Node): Omit<Shape, "fingerprint" | "text"> {
  const [type = "", body = {}] = Object.entries(stmt)[0] as [string, Node];
  const found = new Findings(stmt);
  const writes = [...found.written].filter((name) => !found.ctes.has(name));
  const reads = [...found.relations].filter((name) =>
    !found.ctes.has(name) && !writes.includes(name)
  );
  const sequenceOf = returnsDefaults(type, body);
  const limited = type === "SelectStmt" && isLimited(body);
  // Catalogs hold OIDs, statistics and what the version brings.
  const isOfServer = found.readsCatalog || REPORTS.has(type);
  return {
    kind: kindOf(type, body, writes.length > 0),
    noise: found.isVolatile || isOfServer
      ? "volatile"
      : sequenceOf !== undefined
      ? "sequence"
      : undefined,
    counts: isOfServer ? "any" : found.counts,
    sequenceOf,
    orderBy: type === "SelectStmt" ? orderKeys(body) : undefined,
    limited,
    limit: limited ? limitOf(body) : undefined,
    locks: found.locks,
    // An UPDATE or DELETE reads what it writes.
    reads: [...reads, ...(type === "InsertStmt" ? [] : writes)],
    writes,
    calls: [...found.calls],
    only: type === "SelectStmt" ? onlyRelation(body) : undefined,
  };
}

/** What they show is the server's own: plans, settings. */
const REPORTS = new Set(["ExplainStmt", "VariableShowStmt"]);
const DML = new Set(["InsertStmt", "UpdateStmt", "DeleteStmt", "MergeStmt"]);
const SESSION = new Set([
  "VariableSetStmt",
  "VariableShowStmt",
  "PrepareStmt",
  "ExecuteStmt",
  "DeallocateStmt",
  "DiscardStmt",
  "ListenStmt",
  "UnlistenStmt",
  "NotifyStmt",
  "DeclareCursorStmt",
  "FetchStmt",
  "ClosePortalStmt",
  "ExplainStmt",
  "LockStmt",
  "CallStmt",
  "DoStmt",
  "CheckPointStmt",
]);

function kindOf(type: string, body: Node, writes: boolean): StatementKind {
  if (type === "SelectStmt") return writes ? "dml" : "read";
  if (DML.has(type)) return "dml";
  if (type === "CopyStmt") return body.is_from === true ? "dml" : "read";
  if (type === "TransactionStmt") return "transaction";
  return SESSION.has(type) ? "other" : "ddl";
}

function orderKeys(body: Node): Shape["orderBy"] {
  const clause = body.sortClause as
    | { SortBy: { node: Node } }[]
    | undefined;
  if (clause === undefined) return undefined;
  const keys: (string | number)[] = [];
  for (const { SortBy } of clause) {
    const column = SortBy.node.ColumnRef as Node | undefined;
    const constant = SortBy.node.A_Const as
      | { ival?: { ival?: number } }
      | undefined;
    if (column !== undefined) keys.push(lastName(column.fields));
    else if (constant?.ival?.ival !== undefined) keys.push(constant.ival.ival);
    else return null;
  }
  return keys;
}

/** The literal of a LIMIT without an OFFSET, if the key of the text tells it. */
function limitOf(body: Node): number | undefined {
  const { A_Const } = (body.limitCount ?? {}) as {
    readonly A_Const?: { readonly ival?: { readonly ival?: number } };
  };
  if (body.limitOffset !== undefined || A_Const?.ival === undefined) {
    return undefined;
  }
  const { ival: limit = 0 } = A_Const.ival;
  return `${limit}`.length <= MAX_TOLD_DIGITS ? limit : undefined;
}

/** The relation, if RETURNING gives columns that the INSERT does not set: their values come from defaults, most often sequences. */
function returnsDefaults(type: string, body: Node): string | undefined {
  const returning = (body.returningList ??
    (body.returningClause as Node | undefined)?.exprs) as
      | { ResTarget: { val: Node } }[]
      | undefined;
  if (type !== "InsertStmt" || returning === undefined) return undefined;
  const columns = body.cols as { ResTarget: { name: string } }[] | undefined;
  // Without a list the INSERT sets the columns in order, perhaps not all.
  if (columns === undefined) return relationName(body.relation);
  const set = new Set(columns.map(({ ResTarget }) => ResTarget.name));
  const allSet = returning.every(({ ResTarget }) =>
    set.has(lastName((ResTarget.val.ColumnRef as Node | undefined)?.fields))
  );
  return allSet ? undefined : relationName(body.relation);
}
