import type { Budget } from "./budget.ts";
import { conjuncts } from "./conjuncts.ts";
import { textKeys, textOf, together } from "./collated.ts";
import { type Scope, type SortedInput, traitOf } from "./expression.ts";
import {
  choosingKeys,
  distinctExpressions,
  dropsEqualRows,
  groupExpressions,
  isLimited,
  isSetOperation,
  Keys,
  sortExpressions,
  uniqueKeys,
} from "./keys.ts";
import {
  allOf,
  joined,
  keptOne,
  nameOf,
  renamed,
  withTrait,
  withTraitToo,
} from "./output_list.ts";
import { keyOfRelation } from "./relation_key.ts";
import { Sources, tableOf } from "./sources.ts";
import {
  type Collated,
  type Columns,
  type Draw,
  type InOrder,
  masked,
  type Output,
  remasked,
  rewindowed,
  STRICT,
  tied,
  tiesOf,
  type Trait,
  union,
} from "./trait.ts";
import {
  lastName,
  list,
  Mentions,
  type Node,
  toldText,
  unwrap,
} from "./tree.ts";
import { isRandom } from "./volatile.ts";
import { writeOf } from "./write_values.ts";

/** What a statement's names tell. */
export interface NamesFound {
  readonly outputs: readonly Output[];
  /** What it writes, its CTEs included. */
  readonly draws: readonly Draw[];
  /** Texts that its own ORDER BY sorts by. */
  readonly sortedBy: readonly Collated[];
  /** Without one: how its rows come. */
  readonly inOrder?: InOrder | undefined;
  /** What WHERE, HAVING and ON hold rows against: a choice within that decides which there are. */
  readonly decidedBy?: Pick<Trait, "calls" | "columns"> | undefined;
}

/** A query that WITH names. */
interface Cte {
  readonly outputs: readonly Output[];
  readonly names: Names;
}

/**
 * The names of one query, and of those around it. Each query within it is read
 * once, whoever asks for it: its columns, and what decides its rows.
 */
export class Names implements Scope {
  readonly #outer: Names | undefined;
  readonly #budget: Budget;
  /** Of all queries of the statement. */
  readonly #draws: Draw[];
  readonly #ctes = new Map<string, Cte>();
  readonly #sources = new Sources();
  /** Queries within this one, by the bodies of their statements. */
  readonly #queries = new Map<Node, Names>();
  /** Those that give it rows … */
  readonly #feeders: Names[] = [];
  /** … and what else does. */
  readonly #fed: Trait[] = [];
  #select: Node = {};
  #outputs: readonly Output[] = [];
  #conditions: Trait | undefined;
  #decisions: Trait | undefined;

  private constructor(outer: Names | undefined, budget: Budget) {
    this.#outer = outer;
    this.#budget = budget;
    this.#draws = outer === undefined ? [] : outer.#draws;
  }

  /** What a statement's names tell. @param isOuter it is no query within another one. */
  static of(stmt: Node, budget: Budget, isOuter = true): NamesFound {
    const names = new Names(undefined, budget);
    names.#read(stmt, isOuter);
    const keys = sortExpressions(names.#select);
    return {
      // The texts of columns are for the queries around them.
      outputs: names.#outputs.map(({ text: _, ...output }) => output),
      draws: names.#draws,
      sortedBy: textKeys(keys, names),
      inOrder: names.#ownOrder(),
      decidedBy: names.#decidedBy(),
    };
  }

  /** Output columns of a query within this one. */
  outputsOf(stmt: Node): readonly Output[] {
    return this.#query(stmt).#outputs;
  }

  /** @param onFirst what a set operation's first part gives is known. */
  #query(
    stmt: Node,
    onFirst?: (first: readonly Output[], names: Names) => void,
  ): Names {
    const [, body] = unwrap(stmt);
    let names = this.#queries.get(body);
    if (names === undefined) {
      names = new Names(this, this.#budget);
      this.#queries.set(body, names);
      names.#read(stmt, false, onFirst);
    }
    return names;
  }

  #read(
    stmt: Node,
    isOuter: boolean,
    onFirst?: (first: readonly Output[], names: Names) => void,
  ): void {
    const [type, node] = unwrap(stmt);
    this.#readCtes(node);
    if (type === "SelectStmt") {
      this.#select = node;
      this.#outputs = this.#windowed(
        this.#ofSelect(node, isOuter, onFirst),
        isOuter,
      );
    } else this.#outputs = this.#ofWrite(type, node);
  }

  #readCtes(node: Node): void {
    const { ctes, recursive } = (node.withClause ?? {}) as Node;
    for (const { CommonTableExpr } of list(ctes)) {
      const { ctename, ctequery, aliascolnames } = CommonTableExpr as Node;
      const name = (outputs: readonly Output[], names: Names) => {
        this.#ctes.set(String(ctename), {
          outputs: renamed(outputs, aliascolnames),
          names,
        });
      };
      // A recursive one names itself: its columns are those of its first part.
      const names = this.#query(
        ctequery as Node,
        recursive === true ? name : undefined,
      );
      name(names.#outputs, names);
    }
  }

  #ofSelect(
    node: Node,
    isOuter: boolean,
    onFirst?: (first: readonly Output[], names: Names) => void,
  ): readonly Output[] {
    if (isSetOperation(node)) {
      const sides = [node.larg, node.rarg].map((side, i) => {
        const names = this.#query({ SelectStmt: side });
        this.#feeders.push(names);
        if (i === 0) onFirst?.(names.#outputs, this);
        return names.#outputs;
      });
      return this.#chosen(joined(sides), isOuter);
    }
    if (node.valuesLists !== undefined) return this.#values(node);
    for (const item of list(node.fromClause)) this.#addSource(item);
    const targets = this.#grouped(this.#targets(node.targetList));
    return this.#filtered(this.#chosen(targets, isOuter), this.#condition());
  }

  /** The windows of numbered rows by the output columns of the statement itself; of inner queries' nothing is known. */
  #windowed(outputs: readonly Output[], isOuter: boolean): readonly Output[] {
    let names: ReadonlyMap<string, string | undefined> | undefined;
    return outputs.map((output) => ({
      ...output,
      trait: rewindowed(output.trait, (keys) => {
        if (!isOuter) return undefined;
        names ??= this.#namesByKey();
        const hasAll = this.#sources.only !== undefined && this.#hasStar();
        const found: string[] = [];
        for (const key of keys) {
          // Other expressions than columns are trees.
          const name = names.get(key) ??
            (hasAll && !key.startsWith("{") ? key : undefined);
          if (name === undefined) return undefined;
          found.push(name);
        }
        return found;
      }),
    }));
  }

  /** Output columns by what they are of. */
  #namesByKey(): ReadonlyMap<string, string | undefined> {
    const names = new Map<string, string | undefined>();
    for (const { ResTarget } of list(this.#select.targetList)) {
      const { name, val } = ResTarget as Node;
      const key = this.key(val);
      if (key === undefined || names.has(key)) continue;
      names.set(key, name === undefined ? nameOf(val) : String(name));
    }
    return names;
  }

  #hasStar(): boolean {
    return list(this.#select.targetList).some(({ ResTarget }) => {
      const [type, { fields }] = unwrap((ResTarget as Node).val);
      return type === "ColumnRef" &&
        list(fields).some((field) => "A_Star" in field);
    });
  }

  /** A choice that decides which rows there are reaches all columns. */
  #filtered(
    outputs: readonly Output[],
    condition: Trait,
  ): readonly Output[] {
    const parts = condition.parts.filter(({ mask }) => mask === "choice");
    return parts.length === 0
      ? outputs
      : withTrait(outputs, { ...STRICT, parts });
  }

  /** Of what WHERE, HAVING and ON say. */
  #condition(): Trait {
    const { whereClause, havingClause, fromClause } = this.#select;
    return this.#conditions ??= traitOf(
      [whereClause, havingClause, ...joinConditions(fromClause)],
      this,
    );
  }

  #decidedBy(): NamesFound["decidedBy"] {
    if (this.#conditions === undefined) return undefined;
    const { whereClause, havingClause, fromClause } = this.#select;
    // What no row is held against, `may_read('orders')`, chooses none.
    const held = [whereClause, havingClause, ...joinConditions(fromClause)]
      .flatMap(conjuncts).filter(mentionsColumn);
    const { calls, columns } = this.#conditions.calls.length === 0
      ? this.#conditions
      : traitOf(held, this);
    return calls.length + columns.length === 0 ? undefined : { calls, columns };
  }

  /** What decides which rows there are. */
  #deciding(): Trait {
    if (this.#decisions !== undefined) return this.#decisions;
    // A recursive query feeds itself.
    this.#decisions = STRICT;
    const { parts, calls } = remasked(
      union([
        this.#condition(),
        ...this.#fed,
        ...this.#feeders.map((names) => names.#deciding()),
      ]),
      { time: "boundary", age: "boundary", moment: "boundary" },
    );
    const kept = parts.filter(({ mask }) =>
      mask === "boundary" || mask === "chance" || mask === "choice"
    );
    return this.#decisions = { ...STRICT, parts: kept, calls };
  }

  #values({ valuesLists }: Node): readonly Output[] {
    const rows = list(valuesLists).map(({ List }) => list((List as Node).items))
      .map((items) =>
        items.map((item, i): Output => ({
          name: `column${i + 1}`,
          trait: traitOf(item, this),
          text: textOf(item, this),
        }))
      );
    return joined(rows);
  }

  #targets(targets: unknown): Output[] {
    return list(targets).flatMap(({ ResTarget }) => {
      const { name, val } = ResTarget as Node;
      const [type, node] = unwrap(val);
      const fields = list(type === "ColumnRef" ? node.fields : undefined);
      if (fields.some((field) => "A_Star" in field)) {
        return this.#sources.star(namesOf(fields.slice(0, -1)));
      }
      const trait = traitOf(val, this);
      // The columns of a row: (f(a)).*
      if (list(node.indirection).some((item) => "A_Star" in item)) {
        return [{ star: undefined, trait }];
      }
      return [{
        name: name === undefined ? nameOf(val) : String(name),
        trait,
        text: textOf(val, this),
        ...(type === "ColumnRef" ? { isColumn: true as const } : {}),
      }];
    });
  }

  /** Of equal keys a group has one: what a target makes of it shows which. */
  #grouped(outputs: readonly Output[]): readonly Output[] {
    const keys = groupExpressions(this.#select);
    if (keys.length === 0) return outputs;
    const mentions = new Mentions(keys, this.#budget);
    return outputs.map((output, i) => {
      const value = this.#targetOf(outputs, i);
      return value === undefined || mentions.areIn(value)
        ? keptOne(output)
        : output;
    });
  }

  /** The expression of an output; undefined: there are stars. */
  #targetOf(outputs: readonly Output[], i: number): unknown {
    const targets = list(this.#select.targetList);
    return targets.length === outputs.length
      ? (targets[i]?.ResTarget as Node | undefined)?.val
      : undefined;
  }

  /** Which rows a LIMIT or DISTINCT ON has kept may be chance, unless its order leaves no ties. */
  #chosen(
    outputs: readonly Output[],
    isOuter: boolean,
  ): readonly Output[] {
    const node = this.#select;
    const distinct = distinctExpressions(node);
    if (distinct.length === 0 && dropsEqualRows(node)) {
      outputs = outputs.map(keptOne);
    }
    const sorted = sortExpressions(node);
    if (isLimited(node) && this.#isByChance(sorted[0])) {
      return withTrait(outputs, masked("chance"));
    }
    const limited = !isOuter && isLimited(node);
    if (distinct.length === 0 && !limited) return outputs;
    const choosing = limited ? sorted : choosingKeys(sorted, distinct);
    const part = tied(
      "choice",
      tiesOf(this.unique(sorted), textKeys(choosing, this)),
    );
    // Rows of equal right have equal keys.
    const keys = new Keys([...distinct, ...sorted].map((one) => this.key(one)));
    return outputs.map((output, i) => {
      const value = this.#targetOf(outputs, i);
      return keys.has(this.key(value))
        ? keptOne(output)
        : withTraitToo(output, part);
    });
  }

  #ofWrite(type: string, node: Node): readonly Output[] {
    const relation = node.relation as Node | undefined;
    if (relation === undefined) return [];
    const { fromClause, usingClause, sourceRelation } = node;
    for (
      const item of [
        ...list(fromClause),
        ...list(usingClause),
        ...(sourceRelation === undefined ? [] : [sourceRelation as Node]),
      ]
    ) this.#addSource(item);
    // Values see what stands in the relation, RETURNING what is written to it.
    const values = new Names(this, this.#budget);
    values.#sources.push(tableOf(relation), ...this.#sources.all);
    const write = writeOf(type, node, {
      outputs: (select) => this.outputsOf(select),
      value: (expression) => traitOf(expression, values),
      addSource: (name, output) =>
        values.#sources.push({ name, outputs: [output] }),
    });
    if (write !== undefined) {
      this.#draws.push({ relation: keyOfRelation(relation), write });
    }
    this.#sources.written(
      tableOf(relation, allOf(relation, write)),
      allOf(relation),
    );
    this.#conditions = traitOf(
      [
        node.whereClause,
        node.joinCondition,
        ...joinConditions(fromClause),
        ...joinConditions(usingClause),
        ...joinConditions([sourceRelation ?? {}]),
      ],
      values,
    );
    const returning = node.returningList ??
      (node.returningClause as Node | undefined)?.exprs;
    return this.#filtered(this.#targets(returning), this.#conditions);
  }

  #addSource(item: Node): void {
    const [type, node] = unwrap(item);
    const alias = node.alias as Node | undefined;
    const name = alias === undefined ? undefined : String(alias.aliasname);
    switch (type) {
      case "RangeVar": {
        const cte = node.schemaname === undefined
          ? this.#cte(String(node.relname))
          : undefined;
        if (cte === undefined) return void this.#sources.push(tableOf(node));
        this.#feeders.push(cte.names);
        return this.#addQuery(
          name ?? String(node.relname),
          cte.names,
          renamed(cte.outputs, alias?.colnames),
        );
      }
      case "RangeSubselect": {
        const inner = this.#query(node.subquery as Node);
        this.#feeders.push(inner);
        return this.#addQuery(
          name ?? "",
          inner,
          renamed(inner.#outputs, alias?.colnames),
        );
      }
      case "JoinExpr":
        this.#addSource(node.larg as Node);
        this.#addSource(node.rarg as Node);
        return;
      case "RangeTableSample":
        this.#fed.push(masked("chance"));
        return this.#addSource(node.relation as Node);
      default: { // functions, XMLTABLE, JSON_TABLE
        const trait = traitOf(Object.values(node), this);
        this.#fed.push(trait);
        const [call] = trait.calls;
        const known = list(alias?.colnames);
        const text = together(
          functionsIn(node).map((one) => textOf(one, this)),
        );
        const outputs = known.map((_, i): Output => ({
          name: undefined,
          trait,
          text: isOrdinality(node, known, i) ? undefined : text,
        }));
        const star = isOrdinality(node, known, known.length)
          ? { star: undefined, trait }
          : { star: undefined, trait, text };
        this.#sources.push({
          name: name ?? call ?? "",
          outputs: renamed([...outputs, star], known),
          ...(call === undefined ? {} : { inOrder: { call } }),
        });
      }
    }
  }

  /** A query whose rows are read in FROM. */
  #addQuery(name: string, query: Names, outputs: readonly Output[]): void {
    const sorted = query.#sortedAs(outputs);
    const inOrder = sorted === undefined
      ? query.#ownOrder()
      : { sortedBy: sorted.ties.sortedBy ?? [] };
    this.#sources.push({
      name,
      outputs,
      ...(sorted === undefined ? {} : { sorted }),
      ...(inOrder === undefined ? {} : { inOrder }),
    });
  }

  #cte(name: string): Cte | undefined {
    const outer = this.#outer;
    return this.#ctes.get(name) ?? (outer && outer.#cte(name));
  }

  spend(steps: number): void {
    this.#budget.spend(steps);
  }

  column(fields: readonly Node[]): Trait {
    return this.#sources.column(namesOf(fields)) ??
      this.#outer?.column(fields) ?? STRICT;
  }

  textOfColumn(fields: readonly Node[]): Collated | undefined {
    return this.#sources.textOf(namesOf(fields)) ??
      this.#outer?.textOfColumn(fields);
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

  key(expression: unknown): string | undefined {
    const [type, node] = unwrap(expression);
    if (type !== "ColumnRef") return toldText(expression);
    const names = namesOf(list(node.fields));
    const { only } = this.#sources;
    const isOwn = only !== undefined &&
      (names.length === 1 || names.at(-2) === only.name);
    return isOwn ? names.at(-1) : names.join(".");
  }

  sortedBy(keys: readonly unknown[]): SortedInput | undefined {
    if (keys.length === 0 || this.#isByChance(keys[0])) return undefined;
    return {
      keys: new Keys(keys.map((key) => this.key(key))),
      ties: tiesOf(this.unique(keys), textKeys(keys, this)),
    };
  }

  /** How its rows are sorted, by the names of its outputs. */
  #sortedAs(outputs: readonly Output[]): SortedInput | undefined {
    const keys = sortExpressions(this.#select);
    const sorted = this.sortedBy(keys);
    if (sorted === undefined) return undefined;
    const names = outputs.flatMap((output, i) =>
      "name" in output &&
        sorted.keys.has(this.key(this.#targetOf(outputs, i)))
        ? [output.name]
        : []
    );
    // In a star there are columns of their own names.
    const hasStar = outputs.some((output) => "star" in output);
    const columns = hasStar ? keys.map((key) => this.key(key)) : [];
    return { ...sorted, keys: new Keys([...names, ...columns]) };
  }

  /** Whether what is sorted by an expression comes in any order. */
  #isByChance(expression: unknown): boolean {
    if (isRandom(expression)) return true;
    if (unwrap(expression)[0] !== "ColumnRef") return false;
    return traitOf(expression, this).parts.some(({ mask }) =>
      mask === "chance"
    );
  }

  sortedInput(): SortedInput | undefined {
    return this.#sources.only?.sorted;
  }

  inOrder(): InOrder | undefined {
    return this.#sources.only?.inOrder;
  }

  /** How its rows come: without an order of its own as those that it reads, one by one. */
  #ownOrder(): InOrder | undefined {
    const { sortClause, groupClause, fromClause, targetList } = this.#select;
    const isOther = sortClause !== undefined || groupClause !== undefined ||
      dropsEqualRows(this.#select) || isSetOperation(this.#select);
    if (isOther || sortsWindows(this.#select)) return undefined;
    if (fromClause !== undefined) return this.inOrder();
    const [target, more] = list(targetList);
    const [type, { funcname }] = unwrap((target?.ResTarget as Node)?.val);
    return more === undefined && type === "FuncCall"
      ? { call: lastName(funcname) }
      : undefined;
  }

  select(select: Node, rows: "one" | "all"): Trait {
    const outputs = this.outputsOf({ SelectStmt: select });
    const [first] = outputs;
    return rows === "one"
      ? union(outputs.map(({ trait }) => trait))
      : first?.trait ?? STRICT;
  }

  textOfSelect(select: Node): Collated | undefined {
    const [first] = this.outputsOf({ SelectStmt: select });
    return first?.text;
  }

  decisions(select: Node): Trait {
    return this.#query({ SelectStmt: select }).#deciding();
  }
}

function namesOf(fields: readonly Node[]): readonly string[] {
  return fields.map((field) => lastName([field]));
}

/** Whether windows of a query sort its rows. */
function sortsWindows({ windowClause, targetList }: Node): boolean {
  return /"(orderClause|partitionClause)"/.test(
    JSON.stringify([windowClause, targetList]),
  );
}

/** The calls in FROM. */
function functionsIn({ functions }: Node): readonly unknown[] {
  return list(functions).map(({ List }) =>
    list((List as Node | undefined)?.items)[0]
  );
}

/** Whether WITH ORDINALITY gives a column: the last one that has a name, or one without. */
function isOrdinality(
  { ordinality }: Node,
  named: readonly Node[],
  place: number,
): boolean {
  return ordinality === true &&
    (named.length === 0 || place > 0 && place >= named.length - 1);
}

function joinConditions(items: unknown): unknown[] {
  return list(items).flatMap(({ JoinExpr }) => {
    if (JoinExpr === undefined) return [];
    const { larg, rarg, quals, usingClause } = JoinExpr as Node;
    const merged = list(usingClause).map((name) => {
      const column = { ColumnRef: { fields: [name] } };
      const operator = [{ String: { sval: "=" } }];
      return {
        A_Expr: {
          kind: "AEXPR_OP",
          name: operator,
          lexpr: column,
          rexpr: column,
        },
      };
    });
    return [quals, ...merged, ...joinConditions([larg, rarg])];
  });
}

/** Whether a column stands in an expression, or in a query within. */
function mentionsColumn(tree: unknown): boolean {
  if (typeof tree !== "object" || tree === null) return false;
  return Object.entries(tree).some(([type, node]) =>
    type === "ColumnRef" || mentionsColumn(node)
  );
}
