import { normalizeSync, parseSync } from "libpg-query";
import { isServerSetting } from "./catalogs.ts";
import { TooLargeError } from "./budget.ts";
import { copyFormat, framesOfCopy } from "./copy_format.ts";
import { dangerOf } from "./danger.ts";
import { definitionOf } from "./definition.ts";
import { Findings } from "./findings.ts";
import { functionQueries } from "./function_queries.ts";
import { fingerprintOfTree } from "./fingerprint.ts";
import { insertionOf } from "./insertion.ts";
import { isolationOf } from "./isolation.ts";
import { isLimited, limitOf, onlyRelation } from "./keys.ts";
import { rowLockingOf } from "./locked_rows.ts";
import { momentBounds } from "./moment_bounds.ts";
import { momentCalls } from "./moment_calls.ts";
import { orderKeys } from "./order_keys.ts";
import { namesOf } from "./outputs.ts";
import { updatingOf } from "./updating.ts";
import { equatedColumns, pinnedRows } from "./pins.ts";
import type { Node } from "./tree.ts";
import type { Link, Shape, StatementKind, Statements } from "./shape.ts";

/** Bound in characters of a normalised text that is kept. */
export const MAX_TEXT = 2_000;

/** Hears of an error that is a fault of ours. */
export type OnFault = (error: unknown) => void;

/**
 * Parses SQL with PostgreSQL's own parser, and says of each statement what
 * replaying and comparing need to know. The module must be loaded.
 *
 * @returns undefined if the text does not parse, or can't be looked at.
 */
export function analyze(
  sql: string,
  onFault: OnFault = () => {},
): Statements | undefined {
  let parsed: { stmts?: RawStatement[] };
  try {
    parsed = parseSync(sql);
  } catch {
    // A syntax error here is the servers' business: they have said so.
    return undefined;
  }
  try {
    return statementsOf(sql, parsed, onFault);
  } catch (error) {
    // A tree too deep to be walked is known by its tokens, too.
    if (!isBound(error)) onFault(error);
    return undefined;
  }
}

/**
 * What is known of a query that gives its rows to others, as a view does: its
 * LIMIT chooses them.
 *
 * @returns undefined if the text does not parse.
 */
export function analyzeView(text: string): Shape | undefined {
  try {
    const { stmts: [first] = [] } = parseSync(text) as {
      readonly stmts?: RawStatement[];
    };
    return first && behindName(first.stmt as Node);
  } catch {
    return undefined;
  }
}

/** The same of each query that gives a function its values, by its definition. */
export function analyzeFunction(definition: string): readonly Shape[] {
  try {
    return functionQueries(definition).map(behindName);
  } catch {
    return [];
  }
}

/** A query that people know by another name than its text. */
function behindName(query: Node): Shape {
  const described = describe(query, () => {}, false);
  return { fingerprint: "", text: "", ...described };
}

/** Whether a statement is too large, or its tree is too deep for the stack. */
function isBound(error: unknown): boolean {
  return error instanceof TooLargeError || error instanceof RangeError;
}

function statementsOf(
  sql: string,
  { stmts = [] }: { stmts?: RawStatement[] },
  onFault: OnFault,
): Statements {
  // Locations count bytes of UTF-8, not UTF-16 units.
  const bytes = encoder.encode(sql);
  const shapes: Shape[] = [];
  const links: (Link | undefined)[] = [];
  for (const { stmt, stmt_location = 0, stmt_len } of stmts) {
    const end = stmt_len === undefined
      ? bytes.length
      : stmt_location + stmt_len;
    const text = decoder.decode(bytes.subarray(stmt_location, end)).trim();
    // Of several statements none is followed to its values.
    const pinned = stmts.length === 1
      ? pinnedRows(stmt as Node, bytes)
      : undefined;
    const shape = shapeOf(stmt as Node, text, pinned, onFault);
    shapes.push(shape);
    links.push(linkOf(stmt as Node, shape, onFault));
  }
  return { shapes, links: links.some(Boolean) ? links : undefined };
}

/** A named query has no text of its own: it is known by its PREPARE or DECLARE. */
function linkOf(
  stmt: Node,
  { fingerprint, text }: Shape,
  onFault: OnFault,
): Link | undefined {
  const [type = "", body = {}] = Object.entries(stmt)[0] as [string, Node];
  const named = () => {
    const query = body.query as Node;
    return { ...describe(query, onFault), fingerprint, text };
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

function shapeOf(
  stmt: Node,
  text: string,
  pinned: Shape["pinned"],
  onFault: OnFault,
): Shape {
  return {
    fingerprint: fingerprintOfTree(stmt),
    text: normalizeSync(text).slice(0, MAX_TEXT),
    ...describe(stmt, onFault),
    pinned,
  };
}

/** All of a shape that its tree tells. @param isOuter it is no query within another one. */
function describe(
  stmt: Node,
  onFault: OnFault,
  isOuter = true,
): Omit<Shape, "fingerprint" | "text"> {
  const [type = "", body = {}] = Object.entries(stmt)[0] as [string, Node];
  const found = new Findings(stmt, isOuter);
  const writes = [...found.written];
  // An UPDATE or DELETE reads what it writes, and so does ON CONFLICT.
  const isReading = type !== "InsertStmt" ||
    body.onConflictClause !== undefined;
  const query = queryOf(type, body) ?? stmt;
  const { SelectStmt: select } = query as { readonly SelectStmt?: Node };
  const limited = select !== undefined && isLimited(select);
  const kind = kindOf(type, body, writes.length > 0);
  return {
    kind,
    isControl: CONTROL.has(type) && !isOfPrepared(body),
    isolation: isolationOf(type, body),
    definition: kind === "ddl" ? definitionOf(type, body) : undefined,
    danger: dangerOf(type, body),
    insertion: insertionOf(type, body),
    rowLocking: rowLockingOf(type, body, found.locks),
    updating: updatingOf(type, body),
    ...knownNames(query, onFault, isOuter),
    note: noteOf(type, body, found),
    copy: type === "CopyStmt" ? copyFormat(body) : undefined,
    counts: found.counts,
    choices: found.choices,
    filtered: [...found.filtered],
    picked: [...found.picked],
    skipsNumbers: found.skipsNumbers,
    ...(found.counts.some(({ rule }) => rule === "boundary")
      ? {
        momentBounds: select && momentBounds(select),
        equated: equatedColumns(body),
      }
      : {}),
    momentCalls: momentCalls(type, body),
    folds: found.joinsRows,
    orderBy: select && orderKeys(select),
    limited,
    limit: limited ? messagesOf(type, body, limitOf(select)) : undefined,
    locks: found.locks,
    sources: [...found.sources],
    reads: [...new Set([...found.relations, ...(isReading ? writes : [])])],
    writes,
    writesWithSchema: found.writesWithSchema,
    calls: [...found.calls],
    deciding: [...found.deciding],
    only: select && onlyRelation(select),
    pinned: undefined,
  };
}

/** Without its outputs nothing says in what a statement may differ. */
function knownNames(
  stmt: Node,
  onFault: OnFault,
  isOuter: boolean,
): Pick<
  Shape,
  "isParsed" | "outputs" | "draws" | "sortedBy" | "inOrder" | "decidedBy"
> {
  try {
    const names = namesOf(stmt, undefined, isOuter);
    return { isParsed: true, outputs: undefined, ...names };
  } catch (error) {
    if (!isBound(error)) onFault(error);
    return {
      isParsed: false,
      outputs: undefined,
      draws: [],
      sortedBy: [],
    };
  }
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

/** The messages in which so many rows come. */
function messagesOf(
  type: string,
  body: Node,
  rows: number | undefined,
): number | undefined {
  return rows === undefined || type !== "CopyStmt"
    ? rows
    : rows + framesOfCopy(body);
}

const DML = new Set(["InsertStmt", "UpdateStmt", "DeleteStmt", "MergeStmt"]);
/** Answered by a tag that says no more than that it was read. */
const CONTROL = new Set([
  "TransactionStmt",
  "VariableSetStmt",
  "DeallocateStmt",
  "DiscardStmt",
  "ClosePortalStmt",
]);
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

/** COMMIT PREPARED and ROLLBACK PREPARED: they end a transaction that is none of the session's. */
function isOfPrepared({ kind }: Node): boolean {
  return kind === "TRANS_STMT_COMMIT_PREPARED" ||
    kind === "TRANS_STMT_ROLLBACK_PREPARED";
}

function kindOf(type: string, body: Node, writes: boolean): StatementKind {
  if (type === "SelectStmt") return writes ? "dml" : "read";
  if (DML.has(type)) return "dml";
  if (type === "CopyStmt") {
    return body.is_from === true || writes ? "dml" : "read";
  }
  if (isOfPrepared(body)) return "other";
  if (type === "TransactionStmt") return "transaction";
  return SESSION.has(type) ? "other" : "ddl";
}
