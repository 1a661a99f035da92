/** What statements do to rows of a relation, as far as foreign keys act on it. */
export interface KeyWrite {
  readonly deletes: boolean;
  /** The columns that it sets in rows that are there; undefined: any. */
  readonly sets: readonly string[] | undefined;
}

/** A foreign key's action: ON DELETE, or ON UPDATE of columns. */
type Action = "delete" | readonly string[];

/** Foreign keys that change rows of one relation with those of another. Relations go by names without schemas. */
export class Cascades {
  /** By child, then by parent. */
  readonly #actions = new Map<string, Map<string, Action[]>>();

  /** @param columns those of the parent that ON UPDATE looks at, a line each; empty: it is ON DELETE. */
  add(child: string, parent: string, columns: string): void {
    const action = columns === "" ? "delete" : columns.split("\n");
    const parents = this.#actions.get(child) ?? new Map<string, Action[]>();
    this.#actions.set(child, parents);
    parents.set(parent, [...parents.get(parent) ?? [], action]);
  }

  parentsOf(child: string): Iterable<string> {
    return this.#actions.get(child)?.keys() ?? [];
  }

  /** Whether a write to the parent may change rows of the child. */
  follow(child: string, parent: string, write: KeyWrite): boolean {
    const { deletes, sets } = write;
    const actions = this.#actions.get(child)?.get(parent) ?? [];
    return actions.some((action) =>
      action === "delete"
        ? deletes
        : sets === undefined || action.some((column) => sets.includes(column))
    );
  }
}

/** Nothing is known of a write. */
export const ANY_WRITE: KeyWrite = { deletes: true, sets: undefined };
