import { together } from "./collated.ts";
import type { SortedInput } from "./expression.ts";
import { allOf, columnIn, textIn } from "./output_list.ts";
import { keyOfRelation, relationKey } from "./relation_key.ts";
import {
  type Collated,
  type InOrder,
  type Output,
  type Trait,
  union,
} from "./trait.ts";
import type { Node } from "./tree.ts";

/** What a name in FROM stands for. */
export interface Source {
  readonly name: string;
  /** Of a relation without an alias. */
  readonly key?: string;
  readonly outputs: readonly Output[];
  /** Its rows come in an order … */
  readonly sorted?: SortedInput;
  /** … or as they come from within. */
  readonly inOrder?: InOrder;
}

/** What the names in the FROM of one query stand for, in their order. A column's names are those in front of it, and its own. */
export class Sources {
  readonly #all: Source[] = [];
  /** OLD and NEW in RETURNING: no part of `*`. */
  readonly #rows: Source[] = [];

  push(...sources: readonly Source[]): void {
    this.#all.push(...sources);
  }

  /** What RETURNING sees of a relation that is written to. @param old of its rows before. */
  written(relation: Source, old: Output): void {
    this.#all.unshift(relation);
    this.#rows.push(
      { name: "new", outputs: relation.outputs },
      { name: "old", outputs: [old] },
    );
  }

  get all(): readonly Source[] {
    return this.#all;
  }

  /** Undefined: there are several, or none. */
  get only(): Source | undefined {
    const [only, more] = this.#all;
    return more === undefined ? only : undefined;
  }

  /** The columns of `*`, or of what its names stand for. */
  star(names: readonly string[]): readonly Output[] {
    return this.#named(names).flatMap(({ outputs }) => outputs);
  }

  /** Undefined: none of these has such a column. */
  column(names: readonly string[]): Trait | undefined {
    const column = names.at(-1) ?? "";
    if (names.length > 1) {
      const source = this.#find(names.slice(0, -1));
      return source && union(columnIn(source.outputs, column));
    }
    const found = this.#all.flatMap(({ outputs }) => columnIn(outputs, column));
    // A row as a whole: row_to_json(t).
    const whole = this.#all.find(({ name }) => name === column);
    found.push(...whole?.outputs.map(traitOfWhole) ?? []);
    return found.length > 0 ? union(found) : undefined;
  }

  textOf(names: readonly string[]): Collated | undefined {
    const sources = this.#named(names.slice(0, -1));
    return together(
      sources.map(({ outputs }) => textIn(outputs, names.at(-1) ?? "")),
    );
  }

  #named(names: readonly string[]): readonly Source[] {
    if (names.length === 0) return this.#all;
    const source = this.#find(names);
    return source === undefined ? [] : [source];
  }

  /** @param names perhaps with a schema. */
  #find(names: readonly string[]): Source | undefined {
    const [name = "", schema] = names.toReversed();
    const key = relationKey(schema, name);
    return this.#all.find((source) => source.key === key) ??
      [...this.#all, ...this.#rows].find((source) => source.name === name);
  }
}

/** Of an output as a part of its row. */
function traitOfWhole(output: Output): Trait {
  const { trait } = output;
  if (!("star" in output) || output.star === undefined) return trait;
  const { star, write } = output;
  const row = { relation: star, column: "*" };
  return {
    ...trait,
    columns: [
      ...trait.columns,
      write === undefined ? row : { ...row, write },
    ],
  };
}

/** A relation of FROM. */
export function tableOf(node: Node, output: Output = allOf(node)): Source {
  const { relname, alias } = node as { relname: string; alias?: Node };
  const key = keyOfRelation(node);
  const source = { outputs: [output], inOrder: { relation: key } };
  return alias === undefined
    ? { ...source, name: relname, key }
    : { ...source, name: String(alias.aliasname) };
}
