import { normalizeSync, parseSync } from "libpg-query";
import { isServerSetting } from "./catalogs.ts";
import { copyFormat } from "./copy_format.ts";
import { Findings } from "./findings.ts";
import { fingerprintOfTree } from "./fingerprint.ts";
import { isLimited, limitOf, onlyRelation, orderKeys } from "./keys.ts";
import { outputsOf } from "./outputs.ts";
import type { Node } from "./tree.ts";
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
    return statementsOf(sql);
  } catch {
    // A syntax error here is the servers' business: they have said so. A tree
    // too deep to be walked is known by its tokens, too.
    return undefined;
  }
}

function statementsOf(sql: string): Statements {
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
  const limited = type === "SelectStmt" && isLimited(body);
  return {
    kind: kindOf(type, body, writes.length > 0),
    isParsed: true,
    note: noteOf(type, body, found),
    outputs: outputsOf(queryOf(type, body) ?? stmt),
    copy: type === "CopyStmt" ? copyFormat(body) : undefined,
    counts: found.counts,
    folds: found.folds,
    orderBy: type === "SelectStmt" ? orderKeys(body) : undefined,
    limited,
    limit: limited ? limitOf(body) : undefined,
    locks: found.locks,
    // An UPDATE or DELETE reads what it writes.
    reads: [...reads, ...(type === "InsertStmt" ? [] : writes)],
    writes,
    calls: [...found.calls],
    deciding: [...found.deciding],
    only: type === "SelectStmt" ? onlyRelation(body) : undefined,
  };
}

function noteOf(type: string, body: Node, found: Findings): Shape["note"] {
  if (type === "ExplainStmt") return "plan";
  const isOfServer = found.readsCatalog ||
    type === "VariableShowStmt" && isServerSetting(String(body.name));
  return isOfServer ? "catalog" : found.asksByOid ? "object" : undefined;
}

/** What a COPY copies. */
function queryOf(type: string, { query }: Node): Node | undefined {
  return type === "CopyStmt" ? query as Node | undefined : undefined;
}

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
