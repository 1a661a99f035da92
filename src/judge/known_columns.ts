import type { Shape } from "../sql/shape.ts";
import { leadingDescription } from "./answer.ts";
import { type Column, readColumns } from "./columns.ts";
import type { Reply } from "./compare.ts";
import { isEqualCell } from "./difference.ts";
import type { RowOrder } from "./rows.ts";

interface Known {
  readonly description: Uint8Array;
  readonly columns: readonly Column[];
}

/**
 * Output columns by shape, as the primary last described them: an execution
 * need not describe them again. Shared by all sessions of a mirror; it lives
 * as long as its shapes do.
 */
export class KnownColumns {
  readonly #known = new WeakMap<Shape, Known>();

  /** Those of a reply, which may describe them itself; undefined: nothing did. */
  of(shape: Shape, reply: Reply | undefined): readonly Column[] | undefined {
    if (reply !== undefined) this.note(shape, reply);
    return this.#known.get(shape)?.columns;
  }

  /** Remembers what a reply describes. */
  note(shape: Shape, { answer }: Reply): void {
    // Of text that does not parse the shape says nothing.
    if (!shape.isParsed) return;
    const description = leadingDescription(answer);
    if (description === undefined) return;
    const known = this.#known.get(shape)?.description;
    if (known !== undefined && isEqualCell(known, description)) return;
    this.#known.set(shape, {
      description: description.slice(),
      columns: readColumns(description),
    });
  }

  /** Where the keys of the shape's ORDER BY stand among its columns. */
  keys(shape: Shape, reply: Reply): RowOrder["keys"] {
    if (shape.orderBy === undefined) return undefined;
    const columns = this.of(shape, reply);
    if (shape.orderBy === null || columns === undefined) return "unknown";
    const names = columns.map(({ name }) => name);
    const keys = shape.orderBy.map((key) =>
      typeof key === "string"
        ? names.indexOf(key)
        : key < 0
        ? names.length + key
        : key - 1
    );
    return keys.every((key) => key >= 0 && key < names.length)
      ? keys
      : "unknown";
  }
}
