import { Budget, TooLargeError } from "./budget.ts";
import { aliasOf } from "./keys.ts";
import type { Shape } from "./shape.ts";
import { Targets } from "./targets.ts";
import { lastName, list, type Node, toldText, unwrap } from "./tree.ts";
import { isRandom } from "./volatile.ts";

type Key = NonNullable<Shape["orderBy"]>[number];

/** Keys of a top-level ORDER BY, as output columns; null also if they take more than the budget. */
export function orderKeys(
  select: Node,
  budget: Budget = new Budget(),
): Shape["orderBy"] {
  try {
    return new OrderKeys(select, budget).found();
  } catch (error) {
    if (error instanceof TooLargeError) return null;
    throw error;
  }
}

/** The targets of a SELECT by what they are: each is looked at once, however many keys there are. */
class OrderKeys {
  readonly #select: Node;
  readonly #budget: Budget;
  readonly #targets: Targets;
  /** First places of columns, as they are named … */
  readonly #columns = new Map<string, number>();
  /** … and of other expressions, once a key is one. */
  #expressions: Map<string, number> | undefined;
  #firstStar = Infinity;
  #lastStar = -1;
  readonly #random = new Map<unknown, boolean>();
  #firstSource: string | undefined;

  constructor(select: Node, budget: Budget) {
    this.#select = select;
    this.#budget = budget;
    this.#targets = Targets.of(select);
    if (list(select.sortClause).length === 0) return;
    budget.spend(this.#targets.all.length);
    this.#firstSource = firstSource(list(select.fromClause)[0]);
    for (const [place, { val }] of this.#targets.all.entries()) {
      if (starOf(val) !== undefined) {
        this.#firstStar = Math.min(this.#firstStar, place);
        this.#lastStar = place;
        continue;
      }
      const [type, { fields }] = unwrap(val);
      if (type === "ColumnRef") note(this.#columns, columnOf(fields), place);
    }
  }

  found(): Shape["orderBy"] {
    const keys: Key[] = [];
    for (const { SortBy } of list(this.#select.sortClause)) {
      this.#budget.spend(1);
      const { node } = SortBy as { node: Node };
      const key = this.#keyOf(node);
      if (this.#isRandom(this.#valueOf(node, key))) break;
      if (key === undefined) return null;
      keys.push(key);
    }
    // Sorted by what was drawn first, rows come in any order.
    return keys.length === 0 ? undefined : keys;
  }

  /** The expression that a key stands for. */
  #valueOf(node: Node, key: Key | undefined): unknown {
    if (typeof key === "number") return this.#targets.at(key);
    return key === undefined ? node : this.#targets.named(key) ?? node;
  }

  #isRandom(value: unknown): boolean {
    let found = this.#random.get(value);
    if (found === undefined) {
      this.#random.set(value, found = isRandom(value));
    }
    return found;
  }

  /** An output column by its name or its number; undefined: it is none, or which is not known. */
  #keyOf(node: Node): Key | undefined {
    const [type, fields] = unwrap(node);
    if (type === "A_Const") {
      const { ival } = fields as { ival?: { ival?: number } };
      return ival?.ival;
    }
    if (type !== "ColumnRef") {
      const place = this.#placeOf(node);
      return place === undefined ? undefined : this.#keyAt(place);
    }
    const names = namesOf(fields.fields);
    const [name = ""] = names;
    // A name alone is first of all that of an output.
    const isOutput = names.length === 1 &&
      (this.#lastStar >= 0 ||
        this.#targets.all.some((target) => mayBeCalled(target, name)));
    if (isOutput) return name;
    const place = this.#placeOfColumn(names);
    return place === undefined ? this.#inStar(names) : this.#keyAt(place);
  }

  /** Of how many columns a star is, is not known. */
  #keyAt(place: number): Key | undefined {
    if (this.#firstStar > place) return place + 1;
    return this.#lastStar > place
      ? undefined
      : place - this.#targets.all.length;
  }

  /** Of a column that is named with its relation. */
  #placeOfColumn(names: readonly string[]): number | undefined {
    const own = this.#columns.get(columnKey(names));
    if (names.length === 1) return own ?? this.#placeOfOnly(names[0] ?? "");
    const bare = isOnly(this.#select)
      ? this.#columns.get(columnKey(names.slice(-1)))
      : undefined;
    return own === undefined || bare === undefined
      ? own ?? bare
      : Math.min(own, bare);
  }

  /** Of a column that is named without its relation, and shown with it; undefined: of several relations. */
  #placeOfOnly(name: string): number | undefined {
    // A merged column is not always that of the one side.
    if (list(this.#select.fromClause).some(mergesColumns)) return undefined;
    const places = [...this.#columns].filter(([key]) =>
      key.endsWith(`\0${name}`)
    );
    return places.length === 1 ? places[0]?.[1] : undefined;
  }

  #placeOf(node: Node): number | undefined {
    if (this.#expressions === undefined) {
      this.#expressions = new Map();
      for (const [place, { val }] of this.#targets.all.entries()) {
        note(this.#expressions, this.#text(val), place);
      }
    }
    const text = this.#text(node);
    return text === undefined ? undefined : this.#expressions.get(text);
  }

  #text(expression: unknown): string | undefined {
    const text = toldText(expression);
    // Characters are written out faster than steps are walked.
    this.#budget.spend(1 + (text?.length ?? 0) / 16);
    return text;
  }

  /** A column of the relation that the first star begins with is the first of its name. */
  #inStar(names: readonly string[]): Key | undefined {
    const [column, table] = names.toReversed();
    const star = starOf(this.#targets.at(1));
    const isFirst = star === table ||
      star === "*" && this.#firstSource === table;
    return isFirst ? column : undefined;
  }
}

/** Whether an output may have a name: its own, or that of what it shows. */
function mayBeCalled({ name, val }: Node, wanted: string): boolean {
  if (name !== undefined) return name === wanted;
  const [type, fields] = unwrap(val);
  switch (type) {
    case "ColumnRef":
      return lastName(fields.fields) === wanted;
    case "FuncCall":
      return lastName(fields.funcname) === wanted;
    case "TypeCast": {
      const { names } = fields.typeName as Node;
      return lastName(names) === wanted ||
        mayBeCalled({ val: fields.arg }, wanted);
    }
    case "A_Expr":
    case "A_Const":
    case "BoolExpr":
    case "ParamRef":
      return false; // ?column?
    default:
      // CASE may have the name of a column within.
      return true;
  }
}

/** Of several places the first one counts. */
function note(
  places: Map<string, number>,
  key: string | undefined,
  place: number,
): void {
  if (key !== undefined && !places.has(key)) places.set(key, place);
}

function namesOf(fields: unknown): readonly string[] {
  return list(fields).map((field) => lastName([field]));
}

function columnOf(fields: unknown): string {
  return columnKey(namesOf(fields));
}

/** A column's name, with that of its relation; no name has a NUL. */
function columnKey(names: readonly string[]): string {
  return names.slice(-2).join("\0");
}

/** The relation of a star, `*` itself for all; undefined: it is none. */
function starOf(value: unknown): string | undefined {
  const [type, node] = unwrap(value);
  const fields = list(type === "ColumnRef" ? node.fields : undefined);
  const last = fields.at(-1);
  if (last === undefined || !("A_Star" in last)) {
    // (f(a)).* is several columns, too.
    const parts = list(node.indirection);
    return parts.some((part) => "A_Star" in part) ? "" : undefined;
  }
  return fields.length > 1 ? lastName([fields.at(-2)]) : "*";
}

function isOnly(select: Node): boolean {
  const [item, more] = list(select.fromClause);
  return item !== undefined && more === undefined && !("JoinExpr" in item);
}

/** Whether a join is by USING or NATURAL. */
function mergesColumns(item: unknown): boolean {
  const [type, { larg, rarg, usingClause, isNatural }] = unwrap(item);
  return type === "JoinExpr" &&
    (usingClause !== undefined || isNatural === true || mergesColumns(larg) ||
      mergesColumns(rarg));
}

function firstSource(item: unknown): string | undefined {
  const [type, node] = unwrap(item);
  return type === "JoinExpr" ? firstSource(node.larg) : aliasOf(node);
}
