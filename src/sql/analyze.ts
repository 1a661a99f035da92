import { normalizeSync, parseSync } from "libpg-query";
import { fingerprintOfTree } from "./fingerprint.ts";
import type { Link, Shape, StatementKind, Statements } from "./shape.ts";
import { VOLATILE_FUNCTIONS } from "./volatile.ts";

type Node = Readonly<Record<string, unknown>>;

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
  const found = new Findings();
  found.walk(stmt);
  const writes = [...found.written].filter((name) => !found.ctes.has(name));
  const reads = [...found.relations].filter((name) =>
    !found.ctes.has(name) && !writes.includes(name)
  );
  const sequenceOf = returnsDefaults(type, body);
  return {
    kind: kindOf(type, body, writes.length > 0),
    noise: found.isVolatile || readsCatalog(reads) || REPORTS.has(type)
      ? "volatile"
      : sequenceOf !== undefined
      ? "sequence"
      : undefined,
    sequenceOf,
    orderBy: type === "SelectStmt" ? orderKeys(body) : undefined,
    limited: type === "SelectStmt" && body.limitCount !== undefined,
    locks: found.locks,
    // An UPDATE or DELETE reads what it writes.
    reads: [...reads, ...(type === "InsertStmt" ? [] : writes)],
    writes,
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

/** What a walk over the whole tree finds. */
class Findings {
  readonly relations = new Set<string>();
  readonly written = new Set<string>();
  readonly ctes = new Set<string>();
  volatile = false;
  locks = false;
  /** Some result depends on the order in which rows are read … */
  #orderMatters = false;
  /** … and somewhere an order is asked for, perhaps for that. */
  #sorts = false;

  /** Rows may differ by nature. */
  get isVolatile(): boolean {
    return this.volatile || this.#orderMatters && !this.#sorts;
  }

  walk(value: unknown): void {
    if (Array.isArray(value)) {
      for (const item of value) this.walk(item);
      return;
    }
    if (typeof value !== "object" || value === null) return;
    for (const [key, child] of Object.entries(value as Node)) {
      this.#look(key, child as Node);
      this.walk(child);
    }
  }

  #look(key: string, node: Node): void {
    if (typeof node !== "object" || node === null) return;
    switch (key) {
      case "RangeVar":
        this.relations.add(String(node.relname));
        return;
      case "CommonTableExpr":
        this.ctes.add(String(node.ctename));
        return;
      case "InsertStmt":
      case "UpdateStmt":
      case "DeleteStmt":
      case "MergeStmt":
        this.#writes(node.relation);
        return;
      case "CopyStmt":
        if (node.is_from === true) this.#writes(node.relation);
        else if (node.relation) this.relations.add(relationName(node.relation));
        return;
      case "TruncateStmt":
        for (const relation of (node.relations ?? []) as Node[]) {
          this.#writes(relation.RangeVar);
        }
        return;
      case "SelectStmt":
        this.#select(node);
        return;
      case "RangeTableSample":
        this.volatile = true;
        return;
      case "FuncCall":
        this.#call(node);
        return;
      case "SQLValueFunction": // current_timestamp, current_user, …
        this.volatile = true;
        return;
      case "ColumnRef":
        if (PHYSICAL_COLUMNS.has(lastName(node.fields))) this.volatile = true;
        return;
      case "LockingClause":
      case "LockStmt":
        this.locks = true;
    }
  }

  /** Which rows a LIMIT or a DISTINCT ON keeps is chance without an ORDER BY beside it. */
  #select(node: Node): void {
    const distinctOn = (node.distinctClause as Node[] | undefined)?.some((
      item,
    ) => Object.keys(item).length > 0);
    if (node.sortClause !== undefined) this.#sorts = true;
    else if (node.limitCount !== undefined || distinctOn) this.volatile = true;
  }

  #call(node: Node): void {
    const name = lastName(node.funcname);
    if (VOLATILE_FUNCTIONS.has(name)) this.volatile = true;
    const over = node.over as Node | undefined;
    if (over === undefined) {
      if (ORDERED_AGGREGATES.has(name) && node.agg_order === undefined) {
        this.#orderMatters = true;
      }
    } else if (
      over.orderClause === undefined && over.name === undefined &&
      ORDERED_WINDOW_FUNCTIONS.has(name)
    ) this.#orderMatters = true;
  }

  #writes(relation: unknown): void {
    if (typeof relation !== "object" || relation === null) return;
    this.written.add(relationName(relation as Node));
  }
}

/** Aggregates whose result tells the order of their input (manual, "Aggregate Functions"). */
const ORDERED_AGGREGATES = new Set([
  "array_agg",
  "string_agg",
  "json_agg",
  "jsonb_agg",
  "json_object_agg",
  "jsonb_object_agg",
  "xmlagg",
]);
/** Window functions that number rows, or look at neighbours. */
const ORDERED_WINDOW_FUNCTIONS = new Set([
  "row_number",
  "ntile",
  "lag",
  "lead",
  "first_value",
  "last_value",
  "nth_value",
]);

const PHYSICAL_COLUMNS = new Set([
  "ctid",
  "xmin",
  "xmax",
  "cmin",
  "cmax",
  "tableoid",
]);

function relationName(relation: unknown): string {
  return String((relation as Node).relname);
}

/** The last part of a name: `pg_catalog.now` is `now`. */
function lastName(parts: unknown): string {
  const last = (parts as Node[] | undefined)?.at(-1) as
    | { String?: { sval?: string } }
    | undefined;
  return last?.String?.sval ?? "";
}

/** Catalogs hold OIDs, statistics and what the version brings: they differ by nature. */
function readsCatalog(relations: readonly string[]): boolean {
  return relations.some((name) => name.startsWith("pg_"));
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
