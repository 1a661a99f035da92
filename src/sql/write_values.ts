import { allOf } from "./output_list.ts";
import { type Output, STRICT, type Trait, union, type Write } from "./trait.ts";
import { list, type Node, unwrap } from "./tree.ts";

/** What the names in a writing statement stand for. */
interface Values {
  /** Output columns of a query. */
  outputs(select: Node): readonly Output[];
  value(expression: unknown): Trait;
  /** `excluded`: the row that was to be inserted. */
  addSource(name: string, output: Output): void;
}

type ByColumn = ReadonlyMap<string, Trait>;

/** What a statement gives to the columns of its relation; undefined: it writes no values. */
export function writeOf(
  type: string,
  node: Node,
  values: Values,
): Write | undefined {
  switch (type) {
    case "InsertStmt":
      return inserted(node, values);
    case "UpdateStmt":
      return {
        inserts: false,
        named: assigned(node.targetList, values),
        positional: [],
      };
    case "MergeStmt":
      return merged(node, values);
    default:
      return undefined;
  }
}

function inserted(node: Node, values: Values): Write {
  const source = node.selectStmt as Node | undefined;
  const outputs = source === undefined ? [] : values.outputs(source);
  // An identity column has its default then, whatever is given.
  const isOverridden = node.override === "OVERRIDING_USER_VALUE";
  const traits = outputs.map(({ trait }) =>
    isOverridden ? { ...trait, isDefault: true as const } : trait
  );
  const columns = list(node.cols).map(nameOf);
  const hasStar = outputs.some((output) => "star" in output);
  const all = union(traits);
  const given: Write = {
    inserts: true,
    named: new Map(
      columns.map((name, i) =>
        [name, hasStar ? all : traits[i] ?? STRICT] as const
      ),
    ),
    positional: columns.length === 0 && !hasStar ? traits : [],
    ...(columns.length === 0 ? fromOf(outputs) : {}),
  };
  const conflict = node.onConflictClause as Node | undefined;
  if (conflict === undefined) return given;
  values.addSource("excluded", allOf(node.relation as Node, given));
  const updated = assigned(conflict.targetList, values);
  // Without a conflict the column has its default.
  const set = [...updated].map(([name, trait]) =>
    [
      name,
      columns.length > 0 && !columns.includes(name)
        ? { ...trait, isDefault: true as const }
        : trait,
    ] as const
  );
  return {
    ...given,
    named: together([given.named, new Map(set)]),
    onConflict: {
      inserted: given,
      updated: { inserts: false, named: updated, positional: [] },
    },
  };
}

/** `select * from t`: each column has a value of its own. */
function fromOf([only, more]: readonly Output[]): Pick<Write, "from"> {
  return only !== undefined && more === undefined && "star" in only &&
      only.star !== undefined
    ? { from: only.star }
    : {};
}

function merged(node: Node, values: Values): Write {
  const clauses = list(node.mergeWhenClauses).map((item) =>
    item.MergeWhenClause as Node
  );
  const positional: Trait[] = [];
  const named = clauses.map((clause) => {
    const given = list(clause.values);
    const targets = list(clause.targetList);
    if (given.length === 0) return assigned(targets, values);
    const traits = given.map((value) => values.value(value));
    if (targets.length === 0) {
      traits.forEach((trait, i) => {
        positional[i] = union([positional[i] ?? STRICT, trait]);
      });
    }
    return new Map(
      targets.map((target, i) =>
        [nameOf(target), traits[i] ?? STRICT] as const
      ),
    );
  });
  const inserts = clauses.some(({ commandType }) =>
    commandType === "CMD_INSERT"
  );
  return { inserts, named: together(named), positional };
}

/** What SET gives, by column. */
function assigned(targets: unknown, values: Values): ByColumn {
  return new Map(
    list(targets).map((target) => {
      const { val } = target.ResTarget as Node;
      return [nameOf(target), values.value(valueOf(val))] as const;
    }),
  );
}

/** `(a, b) = (1, 2)`: each column has a value of its own. */
function valueOf(value: unknown): unknown {
  const [type, node] = unwrap(value);
  if (type !== "MultiAssignRef") return value;
  const [row, { args }] = unwrap(node.source);
  return row === "RowExpr" ? list(args)[Number(node.colno) - 1] : value;
}

function nameOf({ ResTarget }: Node): string {
  return String((ResTarget as Node).name);
}

function together(all: readonly ByColumn[]): ByColumn {
  const merged = new Map<string, Trait>();
  for (const traits of all) {
    for (const [name, trait] of traits) {
      const known = merged.get(name);
      merged.set(name, known === undefined ? trait : union([known, trait]));
    }
  }
  return merged;
}
