import type { Shape } from "../sql/shape.ts";
import { leadingDescription, readCells } from "./answer.ts";
import { type Column, readColumns } from "./columns.ts";
import type { Reply } from "./compare.ts";
import { readRows } from "./copy_rows.ts";
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
  readonly #unknown = new WeakMap<Shape, readonly Column[]>();

  /** Those of a reply, which may describe them itself; if nothing did, what the statement's text says of them. */
  of(shape: Shape, reply: Reply | undefined): readonly Column[] | undefined {
    if (reply === undefined) return this.#known.get(shape)?.columns;
    this.note(shape, reply);
    return this.#known.get(shape)?.columns ?? this.#told(shape, reply);
  }

  /** Columns of types that are not known: a COPY does not describe them. */
  #told(shape: Shape, { answer }: Reply): readonly Column[] | undefined {
    if (shape.outputs === undefined) return undefined;
    const { rows: [row], hasCells } = readRows(answer, shape);
    const count = hasCells && row !== undefined
      ? readCells(row).length
      : shape.outputs.length;
    const before = this.#unknown.get(shape);
    if (before?.length === count) return before;
    const names = shape.outputs.map((output) =>
      "name" in output ? output.name : undefined
    );
    const areNamed = names.length === count;
    const columns = Array.from({ length: count }, (_, i): Column => ({
      name: areNamed && names[i] || `${i + 1}`,
      typeOid: 0,
      isBinary: false,
    }));
    this.#unknown.set(shape, columns);
    return columns;
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
      typeof key === "number" ? key - 1 : names.indexOf(key)
    );
    return keys.every((key) => key >= 0 && key < names.length)
      ? keys
      : "unknown";
  }
}
