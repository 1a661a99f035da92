type Node = Readonly<Record<string, unknown>>;

/** Where things stand in the text, and names that a session makes up. */
const UNTOLD = new Set([
  "location",
  "name_location",
  "stmt_location",
  "stmt_len",
  "list_start",
  "list_end",
  "rexpr_list_start",
  "rexpr_list_end",
  "portalname",
  "savepoint_name",
  "gid",
  "howMany",
]);
/** Of these `name` is what the session calls them. */
const NAMED_BY_SESSION = new Set([
  "PrepareStmt",
  "ExecuteStmt",
  "DeallocateStmt",
]);
/** Numbers in these are columns, not values. */
const ORDINALS = new Set(["groupClause", "distinctClause", "SortBy"]);
/** Of the items of these lists, equal ones in a row count as one. */
const VARIADIC = new Set(["rexpr", "elements", "valuesLists"]);

/**
 * The name of a statement's tree: 16 hex digits, alike for trees that differ in
 * values only. All else tells: relations with their schema, casts, names of
 * outputs and their order, ordinals of ORDER BY, GROUP BY and DISTINCT ON.
 */
export function fingerprintOfTree(stmt: unknown): string {
  const parts: string[] = [];
  write(stmt, parts, false);
  return fingerprintOfText(parts.join(""));
}

/** The name of a text: 16 hex digits (two hashes of 32 bits, each with constants of its own). */
export function fingerprintOfText(text: string): string {
  let a = 0x811c9dc5;
  let b = 0x2545f491;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    a = Math.imul(a ^ unit, 0x01000193);
    b = Math.imul(b + unit, 0x85ebca6b) ^ (b >>> 15);
  }
  const hex = (n: number) => (n >>> 0).toString(16).padStart(8, "0");
  return hex(a) + hex(b);
}

/** @param ordinals numbers are columns here. */
function write(value: unknown, parts: string[], ordinals: boolean): void {
  if (typeof value !== "object" || value === null) {
    parts.push(JSON.stringify(value), ";");
    return;
  }
  if (Array.isArray(value)) {
    parts.push("[");
    for (const item of value) write(item, parts, ordinals);
    parts.push("]");
    return;
  }
  for (const [key, child] of Object.entries(value)) {
    if (UNTOLD.has(key)) continue;
    if (key === "A_Const" || key === "ParamRef") {
      parts.push(constant(child, ordinals));
      continue;
    }
    parts.push(key, "{");
    if (NAMED_BY_SESSION.has(key)) {
      const { name: _, ...rest } = child as Node;
      write(rest, parts, false);
    } else if (VARIADIC.has(key)) variadic(child, parts);
    // Only a bare number is a column: not one within an expression.
    else write(child, parts, ORDINALS.has(key) || ordinals && isGroup(key));
    parts.push("}");
  }
}

function isGroup(key: string): boolean {
  return key === "node" || key === "RowExpr" || key === "args" ||
    key === "GroupingSet" || key === "content";
}

/** A value, or a column's number. */
function constant(child: unknown, ordinals: boolean): string {
  const { ival } = child as { ival?: { ival?: number } };
  return ordinals && ival !== undefined ? `#${ival.ival}` : "?";
}

/** `in (1, 2)` is `in (1, 2, 3)`. */
function variadic(child: unknown, parts: string[]): void {
  const list = Array.isArray(child)
    ? child
    : (child as { List?: { items?: unknown[] } }).List?.items;
  if (list === undefined) return write(child, parts, false);
  let before = "";
  for (const item of list) {
    const own: string[] = [];
    write(item, own, false);
    const text = own.join("");
    if (text !== before) parts.push(text);
    before = text;
  }
}
