import { together } from "./collated.ts";
import { keyOfRelation } from "./relation_key.ts";
import {
  type Collated,
  KEPT,
  type Output,
  STRICT,
  type Trait,
  union,
  type Write,
} from "./trait.ts";
import { lastName, list, type Node, unwrap } from "./tree.ts";

/** The columns of a relation. */
export function allOf(relation: Node, write?: Write): Output {
  const star = { star: keyOfRelation(relation), trait: STRICT };
  return write === undefined ? star : { ...star, write };
}

/** Columns that all may differ by a trait, too. */
export function withTrait(
  outputs: readonly Output[],
  trait: Trait,
): readonly Output[] {
  return outputs.map((output) => withTraitToo(output, trait));
}

/** Of equal values one was kept. */
export function keptOne(output: Output): Output {
  return withTraitToo(output, KEPT);
}

export function withTraitToo(output: Output, trait: Trait): Output {
  return { ...output, trait: union([output.trait, trait]) };
}

/** What a list of outputs says of a column: nothing, if it has none of the name. */
export function columnIn(outputs: readonly Output[], column: string): Trait[] {
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

/** What a column is as a text; undefined: it is none, or there is none of the name. */
export function textIn(
  outputs: readonly Output[],
  column: string,
): Collated | undefined {
  const named = outputs.filter((output) =>
    "name" in output && output.name === column
  );
  if (named.length > 0) return together(named.map(({ text }) => text));
  const stars = outputs.filter((output) => "star" in output);
  return together(
    stars.map(({ star, text }) =>
      star === undefined ? text : { columns: [{ relation: star, column }] }
    ),
  );
}

/** Output columns of queries whose rows come together. */
export function joined(
  sides: readonly (readonly Output[])[],
): readonly Output[] {
  const [first = []] = sides;
  const simple = sides.every((side) =>
    side.length === first.length && side.every((output) => "name" in output)
  );
  if (simple) {
    return first.map((output, i) => ({
      name: (output as { name: string }).name,
      trait: union(sides.map((side) => side[i]?.trait ?? STRICT)),
      text: together(sides.map((side) => side[i]?.text)),
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
export function renamed(
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

/** The name that an output column has by itself (FigureColname in parse_target.c). */
export function nameOf(expression: unknown): string | undefined {
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
