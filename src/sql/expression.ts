import { remaskOfCall, WHOLE_LIST } from "./call_masks.ts";
import { textKeys, type TextScope } from "./collated.ts";
import {
  type Columns,
  type InOrder,
  KEPT,
  masked,
  type Remask,
  remasked,
  STRICT,
  tied,
  type Ties,
  tiesOf,
  type Trait,
  union,
} from "./trait.ts";
import { Keys } from "./keys.ts";
import { bare, lastName, list, type Node, unwrap } from "./tree.ts";
import {
  natureOfCall,
  NUMBERING,
  ORDERED_AGGREGATES,
  ORDERED_WINDOW_FUNCTIONS,
  PHYSICAL_COLUMNS,
  SEQUENCE_FUNCTIONS,
  TIME_LITERAL,
  TIME_TYPES,
} from "./volatile.ts";

/** What rows are sorted by, in FROM or within an aggregate. */
export interface SortedInput {
  readonly keys: Keys;
  readonly ties: Ties;
}

/** What the names in an expression stand for. */
export interface Scope extends TextScope {
  /** @param fields of a ColumnRef. */
  column(fields: readonly Node[]): Trait;
  /** @param over of a call: a WindowDef, or the name of one. */
  window(over: Node): Node;
  /** The only relation, with the columns that `keys` name and those that WHERE pins; undefined: there are several relations, or none. */
  unique(keys: readonly unknown[]): Columns | undefined;
  /** By what two expressions are the same; undefined: nothing tells. */
  key(expression: unknown): string | undefined;
  /** Sorted by these; undefined: in any order, for it is by chance. */
  sortedBy(keys: readonly unknown[]): SortedInput | undefined;
  /** The order in which rows come; undefined: in none. */
  sortedInput(): SortedInput | undefined;
  /** How these rows come from within, whatever promises it; undefined: from several sources. */
  inOrder(): InOrder | undefined;
  /** The first column of an inner query. @param rows one of them is taken, or all. */
  select(select: Node, rows: "one" | "all"): Trait;
  /** What decides which rows an inner query has. */
  decisions(select: Node): Trait;
}

/** FRAMEOPTION_ROWS of parsenodes.h: the frame counts rows, not values. */
const FRAME_ROWS = 0x04;
/** Their value among floats depends on the order of additions. */
const FLOAT_AGGREGATES = /^(sum|avg|stddev|variance|var_|corr|covar_|regr_)/;

/** Aggregates that give one of the values they are given. */
const KEEPERS: ReadonlySet<string> = new Set([
  "min",
  "max",
  "mode",
  "percentile_disc",
]);

/** Of a value among those that WITHIN GROUP sorts: they compare. */
const RANKS: ReadonlySet<string> = new Set([
  "rank",
  "dense_rank",
  "percent_rank",
  "cume_dist",
]);

/** A comparison's value changes when the moment passes a boundary. */
const DECIDED: Remask = {
  float: null,
  permuted: "choice",
  ties: "choice",
  numbered: "choice",
  time: "boundary",
  age: "boundary",
  sequence: "chance",
  moment: "boundary",
};
/** What is computed from a value. */
const COMPUTED: Remask = {
  permuted: "choice",
  ties: "choice",
  numbered: "choice",
  time: "moment",
  age: "moment",
  sequence: "chance",
};

/** What of an expression may differ. Names are those of `scope`. */
export function traitOf(expression: unknown, scope: Scope): Trait {
  if (typeof expression !== "object" || expression === null) return STRICT;
  const traits: Trait[] = [];
  // Loops, not functions: each frame makes a deep tree run out of stack earlier.
  if (Array.isArray(expression)) {
    for (const item of expression) traits.push(traitOf(item, scope));
  } else {
    for (const [type, value] of Object.entries(expression)) {
      if (typeof value !== "object" || value === null) continue;
      traits.push(
        Array.isArray(value)
          ? traitOf(value, scope)
          : traitOfNode(type, value, scope),
      );
    }
  }
  const all = union(traits);
  const { parts, calls, columns } = all;
  scope.spend(1 + parts.length + calls.length + columns.length);
  return all;
}

function traitOfNode(type: string, node: Node, scope: Scope): Trait {
  const inner = (child: unknown) => traitOf(child, scope);
  switch (type) {
    case "ColumnRef":
      return PHYSICAL_COLUMNS.has(lastName(node.fields))
        ? masked("chance")
        : scope.column(node.fields as readonly Node[]);
    case "FuncCall":
      return traitOfCall(node, scope);
    case "JsonArrayAgg":
    case "JsonObjectAgg":
      return union([
        inner(Object.values(node)),
        orderOfAggregate(
          sortKeys((node as { constructor?: Node }).constructor?.agg_order),
          listed(node.arg as Node | undefined),
          scope,
        ),
      ]);
    case "SQLValueFunction": // current_timestamp, current_user, …
      return masked(/DATE|TIME/.test(String(node.op)) ? "time" : "chance");
    case "TypeCast":
      return traitOfCast(node, scope);
    case "SubLink":
      return traitOfSubLink(node, scope);
    case "A_Expr":
      return traitOfOperator(node, scope);
    case "BoolExpr":
    case "NullTest":
    case "BooleanTest":
      return remasked(inner(Object.values(node)), DECIDED);
    case "A_Indirection":
      return remasked(inner(Object.values(node)), COMPUTED);
    case "CaseWhen":
      return union([remasked(inner(node.expr), DECIDED), inner(node.result)]);
    case "SetToDefault":
      return { ...STRICT, isDefault: true };
    default:
      return inner(node);
  }
}

function traitOfCall(node: Node, scope: Scope): Trait {
  const name = lastName(node.funcname);
  const args = list(node.args);
  const order = sortKeys(node.agg_order);
  const isWithin = node.agg_within_group === true;
  // WITHIN GROUP sorts what the aggregate is given.
  const of = traitOf(isWithin ? [...args, ...order] : args, scope);
  const over = node.over as Node | undefined;
  const nature = natureOfCall(name, args.length);
  return union([
    { ...STRICT, calls: [name] },
    SEQUENCE_FUNCTIONS.has(name)
      ? masked("sequence")
      : nature === undefined
      ? STRICT
      : masked(nature),
    remasked(
      of,
      isWithin && RANKS.has(name)
        ? DECIDED
        : isEpoch(name, args)
        ? EPOCH
        : remaskOfCall(name) ?? COMPUTED,
    ),
    remasked(traitOf(node.agg_filter, scope), DECIDED),
    over !== undefined
      ? traitOfWindow(name, args, scope.window(over), scope)
      : ORDERED_AGGREGATES.has(name)
      ? orderOfAggregate(
        order,
        args.slice(0, name.includes("object") ? 2 : 1),
        scope,
      )
      : STRICT,
    FLOAT_AGGREGATES.test(name) ? masked("float") : STRICT,
    KEEPERS.has(name) || node.agg_distinct === true ? KEPT : STRICT,
    name === "any_value" ? masked("choice") : STRICT,
  ]);
}

/** The seconds of a moment, or up to it. */
const EPOCH: Remask = { ...COMPUTED, time: "age" };

/** `extract(epoch from …)`. Of date_part() the field is a literal, which a shape does not hold. */
function isEpoch(name: string, [field]: readonly Node[]): boolean {
  return name === "extract" && /"sval":"epoch"/i.test(JSON.stringify(field));
}

function sortKeys(order: unknown): readonly unknown[] {
  return list(order).map((item) => (item.SortBy as Node).node);
}

/** What JSON_ARRAYAGG and JSON_OBJECTAGG list. */
function listed({ raw_expr, key, value }: Node = {}): readonly unknown[] {
  const raw = raw_expr ?? (value as Node | undefined)?.raw_expr;
  return key === undefined ? [raw] : [key, raw];
}

/** An aggregate that makes a list of its input. @param items what the list is made of. */
function orderOfAggregate(
  keys: readonly unknown[],
  items: readonly unknown[],
  scope: Scope,
): Trait {
  const sorted = keys.length === 0 ? scope.sortedInput() : scope.sortedBy(keys);
  if (sorted === undefined) {
    return keys.length === 0
      ? asTheyCome(masked("permuted"), scope)
      : masked("permuted");
  }
  // Sorted by what it gives, ties are equal.
  const isKey = items.every((item) => sorted.keys.has(scope.key(item)));
  return isKey ? STRICT : tied("ties", sorted.ties);
}

/** Of rows that nothing sorts. */
function asTheyCome({ parts, ...trait }: Trait, scope: Scope): Trait {
  const inOrder = scope.inOrder();
  return inOrder === undefined
    ? { ...trait, parts }
    : { ...trait, parts: parts.map((part) => ({ ...part, inOrder })) };
}

function traitOfWindow(
  name: string,
  args: readonly Node[],
  window: Node,
  scope: Scope,
): Trait {
  const byRows = ((window.frameOptions as number ?? 0) & FRAME_ROWS) !== 0 &&
    !NO_FRAME.has(name);
  const isOrdered = ORDERED_WINDOW_FUNCTIONS.has(name);
  if (!isOrdered && !byRows && !ORDERED_AGGREGATES.has(name)) return STRICT;
  const keys = sortKeys(window.orderClause);
  const told = [...keys, ...list(window.partitionClause)];
  const ties = tiesOf(scope.unique(told), textKeys(keys, scope));
  // Rows with equal keys have equal ones.
  const isKey = new Keys(keys.map((key) => scope.key(key))).has(
    scope.key(args[0]),
  );
  if (isKey && NEIGHBOURS.has(name)) return KEPT;
  if (NUMBERING.has(name)) {
    const numbered = tied("numbered", ties);
    const { parts, ...rest } = told.length === 0
      ? asTheyCome(numbered, scope)
      : numbered;
    const within = told.map((key) => scope.key(key));
    const areTold = within.every((key) => key !== undefined);
    return areTold
      ? { ...rest, parts: parts.map((part) => ({ ...part, within })) }
      : { ...rest, parts };
  }
  // All rows of a group without an order are in its frame.
  const isList = !isOrdered && !byRows && keys.length === 0;
  return tied(isList ? "permuted" : "choice", ties);
}

/** Window functions that give a value of another row. */
const NEIGHBOURS = new Set([
  "lag",
  "lead",
  "first_value",
  "last_value",
  "nth_value",
]);

/** Window functions that have no frame, or look at it as a whole. */
const NO_FRAME = new Set(["rank", "dense_rank", "percent_rank", "cume_dist"]);

/** `'now'::date` tells the moment, `'t'::regclass::oid` a number that the server chose. */
function traitOfCast(node: Node, scope: Scope): Trait {
  const type = lastName((node.typeName as Node | undefined)?.names);
  const [of, fields] = unwrap(node.arg);
  if (of === "A_Const" && TIME_TYPES.has(type)) {
    const { sval } = (fields.sval ?? {}) as { sval?: string };
    return TIME_LITERAL.test(sval ?? "") ? masked("time") : STRICT;
  }
  // The number of a partition is the server's own, its name is not.
  if (type === "regclass" && bare(node.arg) === "tableoid") return STRICT;
  const value = traitOf(node.arg, scope);
  // A number of the server's own, or what has it there.
  const from = of === "TypeCast"
    ? lastName((fields.typeName as Node | undefined)?.names)
    : of === "FuncCall" && REG_FUNCTIONS.test(lastName(fields.funcname))
    ? "reg"
    : "";
  const isOfServer = from.startsWith("reg")
    ? NUMBERS.has(type)
    : from === "oid" && type.startsWith("reg");
  if (isOfServer) return masked("chance");
  if (TIME_TYPES.has(type) || type === "interval") return value;
  const isList = list((node.typeName as Node).arrayBounds).length > 0 ||
    WHOLE_LIST.has(type);
  return remasked(value, isList ? JOINED : CAST);
}

/** They give a regclass, a regtype and so on. */
const REG_FUNCTIONS = /^(to_reg\w+|pg_typeof)$/;
/** As the grammar names them. */
const NUMBERS = new Set(["oid", "int4", "int8"]);

function traitOfSubLink(node: Node, scope: Scope): Trait {
  const { SelectStmt } = (node.subselect ?? {}) as { SelectStmt?: Node };
  if (SelectStmt === undefined) return STRICT;
  switch (node.subLinkType) {
    case "EXISTS_SUBLINK":
      // EXISTS asks for a row, whichever it is.
      return scope.decisions(SelectStmt);
    case "ARRAY_SUBLINK": {
      const sorted = list(SelectStmt.sortClause).length > 0;
      return union([
        scope.select(SelectStmt, "all"),
        sorted ? STRICT : masked("permuted"),
      ]);
    }
    case "EXPR_SUBLINK":
    case "MULTIEXPR_SUBLINK":
      return union([
        scope.select(SelectStmt, "one"),
        scope.decisions(SelectStmt),
      ]);
    default: // … IN (SELECT …), … ANY, … ALL
      return remasked(
        union([
          traitOf(node.testexpr, scope),
          scope.select(SelectStmt, "all"),
          scope.decisions(SelectStmt),
        ]),
        DECIDED,
      );
  }
}

function traitOfOperator(node: Node, scope: Scope): Trait {
  const sides = [traitOf(node.lexpr, scope), traitOf(node.rexpr, scope)];
  const both = union(sides);
  if (both.parts.length + both.columns.length === 0) return both;
  const name = lastName(node.name);
  if (node.kind !== "AEXPR_OP" || COMPARISONS.has(name)) {
    const areStored = sides.every(({ parts, columns }) =>
      parts.length === 0 && columns.length > 0
    );
    return remasked(both, areStored ? STORED : DECIDED);
  }
  if (name === "||") return remasked(both, JOINED);
  if (!ADDITIONS.has(name)) {
    // An operator is a function: what it gives of a count is none.
    return union([remasked(both, COMPUTED), { ...STRICT, calls: [name] }]);
  }
  const times = sides.filter(({ parts }) =>
    parts.some(({ mask }) => mask === "time" || mask === "age")
  );
  // A moment less a moment is no moment.
  const moments = times.length > 0
    ? times
    : sides.filter(({ columns }) => columns.length > 0);
  return remasked(both, moments.length === 1 ? SHIFTED : COMPUTED);
}

/** What is added to a moment leaves one. */
const SHIFTED: Remask = { ...COMPUTED, time: "time", age: "age" };
/** Of two moments that were stored the same one is later on both servers. */
const STORED: Remask = { ...DECIDED, time: null, age: null, moment: null };
/** What is put beside a moment. */
const JOINED: Remask = { time: "moment", age: "moment" };
/** What a cast computes. */
const CAST: Remask = { ...COMPUTED, age: "age", sequence: "sequence" };

const ADDITIONS = new Set(["+", "-"]);
const COMPARISONS = new Set([
  "=",
  "<>",
  "!=",
  "<",
  ">",
  "<=",
  ">=",
  "~~",
  "!~~",
  "~",
  "!~",
  "@>",
  "<@",
  "&&",
  "?",
]);
