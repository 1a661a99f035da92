import { isAggregate } from "./aggregates.ts";
import { Budget } from "./budget.ts";
import { isCatalog, isCatalogFunction } from "./catalogs.ts";
import { textKeys } from "./collated.ts";
import {
  DRAWS,
  type Nature,
  natureOfCall,
  NUMBERING,
  ORDERED_AGGREGATES,
  ORDERED_WINDOW_FUNCTIONS,
  PHYSICAL_COLUMNS,
  TIME_LITERAL,
  TIME_TYPES,
} from "./volatile.ts";
import {
  choosingKeys,
  distinctExpressions,
  dropsEqualRows,
  groupExpressions,
  isLimited,
  isSetOperation,
  onlyNames,
  sortExpressions,
  uniqueKeys,
} from "./keys.ts";
import { keyOfRelation } from "./relation_key.ts";
import type { CountPart, CountRule } from "./shape.ts";
import { type Ties, tiesOf } from "./trait.ts";
import { lastName, list, type Node, unwrap } from "./tree.ts";

/** What a value in a place of the tree can reach. */
type Place =
  /** The contents of the statement's rows; its clauses may do more. */
  | "rows"
  /** Contents, whatever lies below: an expression that gives a column its value. */
  | "value"
  /** Contents that an outer clause may filter, group or join by. */
  | "through"
  /** Which rows there are. */
  | "counts";

/** Clauses that decide which rows there are. */
const COUNT_CLAUSES = new Set([
  "whereClause",
  "havingClause",
  "groupClause",
  "distinctClause",
  "quals",
  "joinCondition",
  "condition",
  "limitCount",
  "limitOffset",
  "RangeFunction",
]);

/** Where inner queries stand. */
const SOURCES = new Set([
  "fromClause",
  "withClause",
  "sourceRelation",
  "usingClause",
  "larg",
  "rarg",
]);

const NO_TIES: Ties = {};

/** What reaches the count of rows by each nature. */
const RULES: Readonly<Record<Nature | "draw", CountRule>> = {
  time: "boundary",
  choice: "choice",
  chance: "any",
  draw: "draw",
};

/** What a walk over the whole tree of a statement finds. */
export class Findings {
  /** Names of the relations that it reads … */
  readonly relations = new Set<string>();
  /** … their keys … */
  readonly sources = new Set<string>();
  /** … and the names of those that it writes. */
  readonly written = new Set<string>();
  /** It names one of these with its schema. */
  writesWithSchema = false;
  readonly calls = new Set<string>();
  /** It reads what resolves to pg_catalog or information_schema. */
  readsCatalog = false;
  /** Functions that decide which rows there are. */
  readonly deciding = new Set<string>();
  locks = false;
  /** Somewhere one row comes of several. */
  joinsRows = false;
  /** How the number of rows may differ by nature. */
  readonly counts: CountPart[] = [];
  /** Choices among rows that nothing filters. */
  readonly choices: CountPart[] = [];
  /** Relations, by their keys, and functions whose rows are filtered, grouped or joined. */
  readonly filtered = new Set<string>();
  /** The same of what single values are taken from. */
  readonly picked = new Set<string>();
  /** Rows that were numbered may be left out. */
  skipsNumbers = false;
  /** Places where some result depends on the order in which rows are read … */
  readonly #unsorted: Place[] = [];
  /** … and somewhere an order is asked for, perhaps for that. */
  #sorts = false;
  #asksByOid = false;
  /** Names of CTEs that are seen from where the walk is … */
  #ctes: ReadonlySet<string> = new Set();
  /** … and from within each of them. */
  readonly #ctesWithin = new Map<Node, ReadonlySet<string>>();
  readonly #budget = new Budget();

  /** @param isOuter it is no query within another one. */
  constructor(statement: Node, isOuter = true) {
    const select = statement.SelectStmt as Node | undefined;
    // The limit of the statement itself is judged by its rows.
    if (select !== undefined) this.#select(select, "rows", isOuter);
    else this.#walk(statement, "rows");
    if (!this.#sorts) {
      for (const place of this.#unsorted) this.#mark("choice", place);
    }
  }

  get asksByOid(): boolean {
    return this.#asksByOid || [...this.calls].some(isCatalogFunction);
  }

  /** @param ties of an order that nature decides in. */
  #mark(nature: Nature | "draw", place: Place, ties: Ties = NO_TIES): void {
    if (!isFiltered(place)) return;
    const rule = RULES[nature];
    const isKnown = this.counts.some((part) =>
      part.rule === rule && part.unlessUnique === undefined &&
      part.sortedBy === undefined
    );
    if (!isKnown) this.counts.push({ rule, ...ties });
  }

  #walk(value: unknown, place: Place): void {
    if (Array.isArray(value)) {
      for (const item of value) this.#walk(item, place);
      return;
    }
    if (typeof value !== "object" || value === null) return;
    const node = value as Node;
    // What an inner query gives may be filtered by the clauses beside it.
    const below = place === "rows" && filters(node) ? "through" : place;
    if (joinsRows(node)) this.joinsRows = true;
    // No function in between: each frame makes a deep tree run out of stack earlier.
    const before = this.#ctes;
    if (node.withClause !== undefined) this.#name(node.withClause as Node);
    for (const [key, child] of Object.entries(node)) {
      if (key === "RangeFunction") {
        for (const name of callsIn(child as Node)) this.#readsRows(name, place);
      }
      const inner = SOURCES.has(key)
        ? below
        : COUNT_CLAUSES.has(key) && place !== "value"
        ? "counts"
        : place;
      this.#look(key, child as Node, inner);
    }
    this.#ctes = before;
  }

  /** From here on CTEs are seen; each of them sees those before it, a recursive one all. */
  #name({ ctes, recursive }: Node): void {
    const before = this.#ctes;
    const all = new Set(before);
    for (const { CommonTableExpr } of list(ctes)) {
      const cte = CommonTableExpr as Node;
      this.#ctesWithin.set(cte, recursive === true ? all : new Set(all));
      all.add(String(cte.ctename));
    }
    this.#ctes = all;
  }

  #look(key: string, node: Node, place: Place): void {
    if (typeof node !== "object" || node === null) return;
    switch (key) {
      case "SelectStmt":
      case "larg":
      case "rarg":
        // JoinExpr has arms of the same names, each in a node of its own.
        if (node.limitOption !== undefined) return this.#select(node, place);
        break;
      case "SubLink":
        return this.#subLink(node, place === "rows" ? "value" : place);
      case "RangeVar":
        this.#relation(node, place);
        break;
      case "CommonTableExpr": {
        const before = this.#ctes;
        this.#ctes = this.#ctesWithin.get(node) ?? before;
        this.#walk(node, place);
        this.#ctes = before;
        return;
      }
      case "InsertStmt":
      case "UpdateStmt":
      case "DeleteStmt":
      case "MergeStmt":
      case "RefreshMatViewStmt":
        this.#writes(node.relation);
        break;
      case "CopyStmt":
        if (node.is_from === true) this.#writes(node.relation);
        else if (node.relation) this.#relation(node.relation as Node, place);
        break;
      case "TruncateStmt":
        for (const relation of (node.relations ?? []) as Node[]) {
          this.#writes(relation.RangeVar);
        }
        break;
      case "RangeTableSample":
        this.#mark("draw", place === "value" ? place : "counts");
        break;
      case "FuncCall":
        this.#call(node, place);
        // Its arguments decide how many rows it gives.
        if (lastName(node.funcname) === "generate_series" && place === "rows") {
          place = "counts";
        }
        break;
      case "SQLValueFunction": // current_timestamp, current_user, …
        // Users and schemas are the session's, and the mirror's session has them, too.
        if (/DATE|TIME/.test(String(node.op))) this.#mark("time", place);
        break;
      case "TypeCast":
        this.#cast(node, place);
        break;
      case "ColumnRef":
        if (PHYSICAL_COLUMNS.has(lastName(node.fields))) {
          this.#mark("draw", place);
        }
        break;
      case "LockingClause":
      case "LockStmt":
        this.locks = true;
    }
    this.#walk(node, place);
  }

  /** @param isOuter it is the statement itself. */
  #select(node: Node, place: Place, isOuter = false): void {
    const distinctOn = (node.distinctClause as Node[] | undefined)?.some((
      item,
    ) => Object.keys(item).length > 0);
    if (node.sortClause !== undefined) this.#sorts = true;
    if (distinctOn || !isOuter && isLimited(node) && !isConstant(node)) {
      const ties = this.#tiesOf(node);
      if (place === "rows") this.choices.push({ rule: "choice", ...ties });
      else this.#mark("choice", place, ties);
    }
    const { targetList, ...rest } = node;
    this.#walk(rest, place);
    const before = this.#ctes;
    if (node.withClause !== undefined) this.#name(node.withClause as Node);
    this.#walk(
      targetList,
      place === "rows" && dropsEqualRows(node) ? "through" : place,
    );
    if (place === "rows") this.#walk(groupExpressions(node), "counts");
    this.#ctes = before;
  }

  /** What of a table's order leaves no ties, or makes them no excuse. */
  #tiesOf(select: Node): Ties {
    const sorted = sortExpressions(select);
    const unique = uniqueKeys(select, sorted);
    if (this.#ctes.has(unique?.relation ?? "")) return NO_TIES;
    const choosing = isLimited(select)
      ? sorted
      : choosingKeys(sorted, distinctExpressions(select));
    const names = onlyNames(select, (steps) => this.#budget.spend(steps));
    return tiesOf(unique, textKeys(choosing, names));
  }

  #subLink(node: Node, place: Place): void {
    const { subselect, ...rest } = node;
    this.#walk(rest, place);
    const inner = (subselect as { SelectStmt?: Node } | undefined)?.SelectStmt;
    if (node.subLinkType !== "EXISTS_SUBLINK" || inner === undefined) {
      return this.#walk(subselect, place);
    }
    // EXISTS asks for a row, whichever it is.
    const ignored = new Set([
      "targetList",
      "sortClause",
      "limitCount",
      "limitOffset",
    ]);
    const body = Object.entries(inner).filter(([key]) => !ignored.has(key));
    this.#walk({ SelectStmt: Object.fromEntries(body) }, place);
  }

  #relation(node: Node, place: Place): void {
    const schema = node.schemaname as string | undefined;
    const name = String(node.relname);
    if (schema === undefined && this.#ctes.has(name)) return;
    this.relations.add(name);
    this.sources.add(keyOfRelation(node));
    this.#readsRows(keyOfRelation(node), place);
    if (isCatalog(schema, name)) this.readsCatalog = true;
  }

  #readsRows(name: string, place: Place): void {
    if (isFiltered(place)) this.filtered.add(name);
    else if (place === "value") this.picked.add(name);
  }

  #call(node: Node, place: Place): void {
    const name = lastName(node.funcname);
    this.calls.add(name);
    if (isFiltered(place)) this.deciding.add(name);
    if (isAggregate(name)) this.joinsRows = true;
    if (PRIVILEGES.test(name) && args(node).some(isOid)) this.#asksByOid = true;
    const nature = natureOfCall(name, args(node).length);
    // Settings that filter rows are the session's, and replayed (`app.tenant`).
    const isSetting = name === "current_setting";
    if (nature !== undefined && !isSetting) {
      this.#mark(DRAWS.has(name) ? "draw" : nature, place);
    }
    const over = node.over as Node | undefined;
    if (over !== undefined && NUMBERING.has(name) && place !== "rows") {
      this.skipsNumbers = true;
    }
    const isUnsorted = over === undefined
      ? ORDERED_AGGREGATES.has(name) && node.agg_order === undefined
      : over.orderClause === undefined && over.name === undefined &&
        ORDERED_WINDOW_FUNCTIONS.has(name);
    if (isUnsorted) this.#unsorted.push(place);
  }

  /** `'now'::date` tells the moment, `'t'::regclass::oid` a number that the server chose. */
  #cast({ arg, typeName }: Node, place: Place): void {
    const type = lastName((typeName as Node | undefined)?.names);
    const { A_Const, TypeCast } = (arg ?? {}) as {
      readonly A_Const?: { readonly sval?: { readonly sval?: string } };
      readonly TypeCast?: Node;
    };
    if (
      TIME_TYPES.has(type) && TIME_LITERAL.test(A_Const?.sval?.sval ?? "")
    ) this.#mark("time", place);
    const inner = lastName((TypeCast?.typeName as Node | undefined)?.names);
    if (inner.startsWith("reg") && NUMBERS.has(type)) {
      this.#mark("chance", place);
    }
  }

  #writes(relation: unknown): void {
    if (typeof relation !== "object" || relation === null) return;
    const { relname, schemaname } = relation as Node;
    this.written.add(String(relname));
    if (schemaname !== undefined) this.writesWithSchema = true;
  }
}

function isFiltered(place: Place): boolean {
  return place === "counts" || place === "through";
}

/** Names of the functions in FROM. */
function callsIn({ functions }: Node): readonly string[] {
  return list(functions).flatMap(({ List }) => {
    const [type, { funcname }] = unwrap(list((List as Node)?.items)[0]);
    return type === "FuncCall" ? [lastName(funcname)] : [];
  });
}

/** Of objects by name or OID (manual, "Access Privilege Inquiry Functions"). */
const PRIVILEGES = /^has_\w+_privilege$/;

function args(call: Node): readonly Node[] {
  return (call.args as Node[] | undefined) ?? [];
}

function isOid({ TypeCast }: Node): boolean {
  const { typeName } = (TypeCast ?? {}) as { typeName?: Node };
  return lastName(typeName?.names) === "oid";
}

/** As the grammar names them. */
const NUMBERS = new Set(["oid", "int4", "int8"]);

/** Whether a statement's clauses may turn contents of its inner queries into counts. */
function filters(node: Node): boolean {
  return joinsRows(node) || node.whereClause !== undefined ||
    node.havingClause !== undefined || node.joinCondition !== undefined ||
    node.usingClause !== undefined ||
    ((node.fromClause ?? []) as Node[]).some((item) => "JoinExpr" in item);
}

/** Whether a query makes one row of several. */
function joinsRows(node: Node): boolean {
  return node.groupClause !== undefined || dropsEqualRows(node);
}

/** Whether each of its rows is the same: `select 1 from t`. */
function isConstant(node: Node): boolean {
  if (isSetOperation(node) || node.valuesLists !== undefined) return false;
  return list(node.targetList).every(({ ResTarget }) =>
    unwrap((ResTarget as Node).val)[0] === "A_Const"
  );
}
