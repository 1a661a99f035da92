import { type Scope, type SortedInput, traitOf } from "./expression.ts";
import { isLimited, sortExpressions, uniqueKeys } from "./keys.ts";
import {
  type Columns,
  masked,
  type Output,
  remasked,
  rewindowed,
  STRICT,
  type Trait,
  union,
  type Write,
} from "./trait.ts";
import { bare, exactText, lastName, list, type Node, unwrap } from "./tree.ts";

/**
 * In what each output column of a statement may differ on an equal server.
 *
 * @returns undefined: it has none, or nothing is known of them.
 */
export function outputsOf(stmt: Node): readonly Output[] | undefined {
  const [type] = unwrap(stmt);
  const names = new Names(undefined);
  switch (type) {
    case "SelectStmt":
    case "InsertStmt":
    case "UpdateStmt":
    case "DeleteStmt":
    case "MergeStmt":
      return names.outputs(stmt, true);
    default:
      return undefined;
  }
}

/** What a name in FROM stands for. */
interface Source {
  readonly name: string;
  readonly outputs: readonly Output[];
  /** Its rows come in an order. */
  readonly sorted?: SortedInput;
}

/** The names of one query, and of those around it. */
class Names implements Scope {
  readonly #outer: Names | undefined;
  readonly #ctes = new Map<string, readonly Output[]>();
  readonly #sources: Source[] = [];
  #select: Node = {};

  constructor(outer: Names | undefined) {
    this.#outer = outer;
  }

  /** Output columns of a query. @param isOuter it is the statement itself. */
  outputs(stmt: Node, isOuter = false): readonly Output[] {
    const [type, node] = unwrap(stmt);
    const { ctes } = (node.withClause ?? {}) as Node;
    for (const { CommonTableExpr } of list(ctes)) {
      const { ctename, ctequery, aliascolnames } = CommonTableExpr as Node;
      // A recursive one names itself: its columns are those of its first part.
      const found = new Names(this).outputs(ctequery as Node);
      this.#ctes.set(String(ctename), renamed(found, aliascolnames));
    }
    if (type === "SelectStmt") {
      return this.#windowed(this.#ofSelect(node, isOuter), isOuter);
    }
    return this.#ofWrite(type, node);
  }

  /** The windows of numbered rows by the output columns of the statement itself; of inner queries' nothing is known. */
  #windowed(
    outputs: readonly Output[],
    isOuter: boolean,
  ): readonly Output[] {
    return outputs.map((output) => ({
      ...output,
      trait: rewindowed(output.trait, (keys) => {
        const names = keys.map((key) => isOuter && this.#outputName(key));
        return names.every((name) => typeof name === "string")
          ? names
          : undefined;
      }),
    }));
  }

  /** The output column that an expression is. */
  #outputName(key: string): string | undefined {
    const targets = list(this.#select.targetList).map(({ ResTarget }) =>
      ResTarget as Node
    );
    const node = JSON.parse(key);
    // Of several relations only the same words mean the same.
    const isOne = this.#sources.length === 1;
    const target = targets.find(({ val }) =>
      exactText(val) === key || isOne && bare(val) === bare(node)
    );
    if (target !== undefined) {
      return target.name === undefined
        ? nameOf(target.val)
        : String(target.name);
    }
    const hasStar = targets.some(({ val }) =>
      exactText(val).includes("A_Star")
    );
    return isOne && hasStar && "ColumnRef" in node ? bare(node) : undefined;
  }

  #ofSelect(node: Node, isOuter: boolean): readonly Output[] {
    this.#select = node;
    if (node.op !== undefined && node.op !== "SETOP_NONE") {
      const sides = [node.larg, node.rarg].map((side) =>
        new Names(this).outputs({ SelectStmt: side })
      );
      return this.#chosen(joined(sides), isOuter);
    }
    if (node.valuesLists !== undefined) return this.#values(node);
    for (const item of list(node.fromClause)) this.#addSource(item);
    const outputs = this.#chosen(this.#targets(node.targetList), isOuter);
    return this.#filtered(outputs, node);
  }

  /** A choice that decides which rows there are reaches all columns. */
  #filtered(outputs: readonly Output[], node: Node): readonly Output[] {
    const conditions = [
      node.whereClause,
      node.havingClause,
      node.joinCondition,
      ...joinConditions(node.fromClause),
      ...joinConditions(node.usingClause),
    ];
    const parts = traitOf(conditions, this).parts.filter(({ mask }) =>
      mask === "choice"
    );
    if (parts.length === 0) return outputs;
    const choice = { ...STRICT, parts };
    return outputs.map((output) => ({
      ...output,
      trait: union([output.trait, choice]),
    }));
  }

  #values({ valuesLists }: Node): readonly Output[] {
    const rows = list(valuesLists).map(({ List }) => list((List as Node).items))
      .map((items) =>
        items.map((item, i): Output => ({
          name: `column${i + 1}`,
          trait: traitOf(item, this),
        }))
      );
    return joined(rows);
  }

  #targets(targets: unknown): Output[] {
    return list(targets).flatMap(({ ResTarget }) => {
      const { name, val } = ResTarget as Node;
      const { ColumnRef } = (val ?? {}) as { ColumnRef?: Node };
      const fields = list(ColumnRef?.fields);
      if (fields.some((field) => "A_Star" in field)) {
        const [first] = fields;
        const alias = fields.length > 1 ? lastName([first]) : undefined;
        return this.#sources.filter((source) =>
          alias === undefined || source.name === alias
        ).flatMap((source) => source.outputs);
      }
      return [{
        name: name === undefined ? nameOf(val) : String(name),
        trait: traitOf(val, this),
      }];
    });
  }

  /** Which rows a LIMIT or DISTINCT ON has kept may be chance, unless its order leaves no ties. */
  #chosen(
    outputs: readonly Output[],
    isOuter: boolean,
  ): readonly Output[] {
    const node = this.#select;
    const distinct = list(node.distinctClause).filter((item) =>
      Object.keys(item).length > 0
    );
    const limited = !isOuter && isLimited(node);
    if (distinct.length === 0 && !limited) return outputs;
    const sorted = sortExpressions(node);
    const part = masked("choice", this.unique(sorted));
    // Rows of equal right have equal keys.
    const kept = new Set([...distinct, ...sorted].map(bare));
    const targets = list(node.targetList);
    return outputs.map((output, i) => {
      const target = targets.length === outputs.length ? targets[i] : undefined;
      const isKept = target !== undefined &&
        kept.has(bare((target.ResTarget as Node).val));
      return isKept
        ? output
        : { ...output, trait: union([output.trait, part]) };
    });
  }

  #ofWrite(type: string, node: Node): readonly Output[] {
    const relation = node.relation as Node | undefined;
    if (relation === undefined) return [];
    const write = this.#write(type, node);
    const table = tableOf(relation, write);
    this.#sources.push(table);
    for (const item of list(node.fromClause)) this.#addSource(item);
    for (const item of list(node.usingClause)) this.#addSource(item);
    if (node.sourceRelation) this.#addSource(node.sourceRelation as Node);
    const returning = node.returningList ??
      (node.returningClause as Node | undefined)?.exprs;
    return this.#filtered(this.#targets(returning), node);
  }

  /** What a statement gives to the columns of its relation; undefined: it writes no values. */
  #write(type: string, node: Node): Write | undefined {
    switch (type) {
      case "InsertStmt":
        return this.#insert(node);
      case "UpdateStmt":
        return {
          inserts: false,
          named: this.#assigned(node.targetList, node),
          positional: [],
        };
      case "MergeStmt": {
        const clauses = list(node.mergeWhenClauses).map((item) =>
          item.MergeWhenClause as Node
        );
        const all = clauses.map((clause) => {
          const values = list(clause.values);
          return values.length === 0
            ? this.#assigned(clause.targetList, node)
            : Object.fromEntries(
              list(clause.targetList).map(({ ResTarget }, i) => [
                String((ResTarget as Node).name),
                traitOf(values[i], this.#with(node)),
              ]),
            );
        });
        const inserts = clauses.some(({ commandType }) =>
          commandType === "CMD_INSERT"
        );
        return { inserts, named: mergedTraits(all), positional: [] };
      }
      default:
        return undefined;
    }
  }

  #insert(node: Node): Write {
    const source = node.selectStmt as Node | undefined;
    const values = source === undefined ? [] : new Names(this).outputs(source);
    const traits = values.map((output) => output.trait);
    const columns = node.cols === undefined ? undefined : list(node.cols).map((
      { ResTarget },
    ) => String((ResTarget as Node).name));
    const { targetList } = (node.onConflictClause ?? {}) as Node;
    const assigned = Object.entries(this.#assigned(targetList, node));
    // Without a conflict the column has its default.
    const conflict = Object.fromEntries(
      assigned.map(([name, trait]) => [
        name,
        columns?.includes(name) === false
          ? { ...trait, isDefault: true as const }
          : trait,
      ]),
    );
    const hasStar = values.some((output) => "star" in output);
    const given = columns === undefined || hasStar
      ? Object.fromEntries((columns ?? []).map((name) => [name, union(traits)]))
      : Object.fromEntries(
        columns.map((name, i) => [name, traits[i] ?? STRICT]),
      );
    return {
      inserts: true,
      named: mergedTraits([given, conflict]),
      positional: columns === undefined && !hasStar ? traits : [],
    };
  }

  /** What SET gives, by column. */
  #assigned(targets: unknown, node: Node): Record<string, Trait> {
    const names = this.#with(node);
    return Object.fromEntries(
      list(targets).map(({ ResTarget }) => {
        const { name, val } = ResTarget as Node;
        return [String(name), traitOf(val, names)] as const;
      }),
    );
  }

  /** Names as the values of a writing statement see them. */
  #with(node: Node): Names {
    const names = new Names(this);
    names.#sources.push(tableOf(node.relation as Node, undefined));
    for (const item of list(node.fromClause)) names.#addSource(item);
    if (node.sourceRelation) names.#addSource(node.sourceRelation as Node);
    return names;
  }

  #addSource(item: Node): void {
    const [type, node] = unwrap(item);
    const alias = node.alias as Node | undefined;
    const name = alias === undefined ? undefined : String(alias.aliasname);
    const add = (fallback: string, outputs: readonly Output[]) => {
      this.#sources.push({
        name: name ?? fallback,
        outputs: renamed(outputs, alias?.colnames),
      });
    };
    switch (type) {
      case "RangeVar": {
        const relation = String(node.relname);
        const cte = node.schemaname === undefined
          ? this.#cte(relation)
          : undefined;
        if (cte === undefined) return void this.#sources.push(tableOf(node));
        return add(relation, cte);
      }
      case "RangeSubselect": {
        const inner = new Names(this);
        const outputs = inner.outputs(node.subquery as Node);
        const keys = sortExpressions(inner.#select);
        this.#sources.push({
          name: name ?? "",
          outputs: renamed(outputs, alias?.colnames),
          ...(keys.length === 0 ? {} : {
            sorted: { keys: keys.map(bare), unique: inner.unique(keys) },
          }),
        });
        return;
      }
      case "JoinExpr":
        this.#addSource(node.larg as Node);
        this.#addSource(node.rarg as Node);
        return;
      case "RangeTableSample":
        return this.#addSource(node.relation as Node);
      default: { // functions, XMLTABLE, JSON_TABLE
        const trait = traitOf(Object.values(node), this);
        const [call] = trait.calls;
        const known = list(alias?.colnames).length;
        const outputs: Output[] = Array.from(
          { length: known },
          () => ({ name: undefined, trait }),
        );
        add(call ?? "", [...outputs, { star: undefined, trait }]);
      }
    }
  }

  #cte(name: string): readonly Output[] | undefined {
    const outer = this.#outer;
    return this.#ctes.get(name) ?? (outer && outer.#cte(name));
  }

  column(fields: readonly Node[]): Trait {
    const names = fields.map((field) => lastName([field]));
    const column = names.at(-1) ?? "";
    const table = names.length > 1 ? names.at(-2) : undefined;
    if (table === undefined) {
      const whole = this.#sources.find(({ name }) => name === column);
      const found = this.#sources.flatMap((source) => inSource(source, column));
      if (found.length > 0) return union(found);
      // A row as a whole: row_to_json(t).
      if (whole !== undefined) {
        return union(whole.outputs.map(({ trait }) => trait));
      }
    } else {
      const source = this.#sources.find(({ name }) => name === table);
      if (source !== undefined) return union(inSource(source, column));
    }
    return this.#outer?.column(fields) ?? STRICT;
  }

  window(over: Node): Node {
    const name = over.name ?? over.refname;
    if (name === undefined) return over;
    const named = list(this.#select.windowClause).map((item) =>
      item.WindowDef as Node
    ).find((window) => window.name === name);
    return { ...named, ...over };
  }

  unique(keys: readonly unknown[]): Columns | undefined {
    const found = uniqueKeys(this.#select, keys);
    const isCte = found !== undefined &&
      this.#cte(found.relation) !== undefined;
    return isCte ? undefined : found;
  }

  sortedInput(): SortedInput | undefined {
    const [only, more] = this.#sources;
    return more === undefined ? only?.sorted : undefined;
  }

  select(select: Node, rows: "one" | "all"): Trait {
    const outputs = new Names(this).outputs({ SelectStmt: select });
    const [first] = outputs;
    return rows === "one"
      ? union(outputs.map(({ trait }) => trait))
      : first?.trait ?? STRICT;
  }

  decisions(select: Node): Trait {
    const names = new Names(this);
    names.outputs({ SelectStmt: select });
    const { parts, calls } = remasked(
      union(
        [select.whereClause, select.havingClause, select.fromClause].map(
          (clause) => traitOf(clause, names),
        ),
      ),
      { time: "boundary", moment: "boundary" },
    );
    const kept = parts.filter(({ mask }) =>
      mask === "boundary" || mask === "chance" || mask === "choice"
    );
    return { ...STRICT, parts: kept, calls };
  }
}

function joinConditions(items: unknown): unknown[] {
  return list(items).flatMap(({ JoinExpr }) => {
    if (JoinExpr === undefined) return [];
    const { larg, rarg, quals } = JoinExpr as Node;
    return [quals, ...joinConditions([larg, rarg])];
  });
}

/** What a source says of a column: nothing, if it has none of the name. */
function inSource({ outputs }: Source, column: string): Trait[] {
  const named = outputs.filter((output) =>
    "name" in output && output.name === column
  );
  if (named.length > 0) return named.map(({ trait }) => trait);
  return outputs.flatMap((output) => {
    if (!("star" in output)) return [];
    const { star, trait, write } = output;
    if (star === undefined) return [trait];
    const item = write === undefined
      ? { relation: star, column }
      : { relation: star, column, write };
    return [{ ...trait, columns: [...trait.columns, item] }];
  });
}

function tableOf(node: Node, write?: Write): Source {
  const { relname, alias } = node as { relname: string; alias?: Node };
  const star = write === undefined
    ? { star: relname, trait: STRICT }
    : { star: relname, trait: STRICT, write };
  return {
    name: alias === undefined ? relname : String(alias.aliasname),
    outputs: [star],
  };
}

/** Output columns of queries whose rows come together. */
function joined(sides: readonly (readonly Output[])[]): readonly Output[] {
  const [first = []] = sides;
  const simple = sides.every((side) =>
    side.length === first.length && side.every((output) => "name" in output)
  );
  if (simple) {
    return first.map((output, i) => ({
      name: (output as { name: string }).name,
      trait: union(sides.map((side) => side[i]?.trait ?? STRICT)),
    }));
  }
  const all = sides.flat();
  const columns = all.flatMap((output) =>
    "star" in output && output.star !== undefined
      ? [{ relation: output.star, column: "*" }]
      : []
  );
  const trait = union(all.map((output) => output.trait));
  return [{
    star: undefined,
    trait: { ...trait, columns: [...trait.columns, ...columns] },
  }];
}

/** `as t (a, b)`: the first columns have other names. */
function renamed(
  outputs: readonly Output[],
  names: unknown,
): readonly Output[] {
  const given = list(names);
  if (given.length === 0) return outputs;
  return outputs.map((output, i) =>
    given[i] !== undefined && "name" in output
      ? { ...output, name: lastName([given[i]]) }
      : output
  );
}

function mergedTraits(
  all: readonly Readonly<Record<string, Trait>>[],
): Record<string, Trait> {
  const merged: Record<string, Trait> = {};
  for (const traits of all) {
    for (const [name, trait] of Object.entries(traits)) {
      const known = merged[name];
      merged[name] = known === undefined ? trait : union([known, trait]);
    }
  }
  return merged;
}

/** The name that an output column has by itself (FigureColname in parse_target.c). */
function nameOf(expression: unknown): string | undefined {
  const [type, node] = unwrap(expression);
  switch (type) {
    case "ColumnRef":
      return lastName(node.fields);
    case "FuncCall":
      return lastName(node.funcname);
    case "TypeCast":
      return nameOf(node.arg) ?? lastName((node.typeName as Node).names);
    case "SubLink": {
      const { SelectStmt } = (node.subselect ?? {}) as { SelectStmt?: Node };
      const [target] = list(SelectStmt?.targetList);
      const { name, val } = (target?.ResTarget ?? {}) as Node;
      return name === undefined ? nameOf(val) : String(name);
    }
    case "CoalesceExpr":
      return "coalesce";
    case "CaseExpr":
      return "case";
    default:
      return undefined;
  }
}
