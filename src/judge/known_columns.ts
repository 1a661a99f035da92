import type { Shape } from "../sql/shape.ts";
import { leadingDescriptions, readCells } from "./answer.ts";
import { type Column, readColumns } from "./columns.ts";
import type { Reply } from "./surroundings.ts";
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

  /** As they were described last; if they never were, what the statement's text says of a reply's columns. */
  of(shape: Shape, reply: Reply | undefined): readonly Column[] | undefined {
    const known = this.#known.get(shape.base ?? shape)?.columns;
    return known ?? (reply && this.#told(shape, reply));
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

  /**
   * Remembers what a reply describes.
   *
   * @param described the statements whose descriptions they are, if others than
   *   `shape` are among them. One that gives no rows has none.
   */
  note(shape: Shape, { answer }: Reply, described?: readonly Shape[]): void {
    const descriptions = leadingDescriptions(answer);
    if (described === undefined) {
      const last = descriptions.at(-1);
      if (last !== undefined) this.#note(shape, last);
      return;
    }
    const owners = descriptions.length === described.length
      ? described
      : described.filter(({ outputs }) => outputs?.length !== 0);
    if (owners.length !== descriptions.length) return;
    descriptions.forEach((description, i) =>
      this.#note(owners[i] as Shape, description) // there are as many
    );
  }

  #note(shape: Shape, description: Uint8Array): void {
    // Of text that does not parse the shape says nothing.
    if (!shape.isParsed) return;
    const key = shape.base ?? shape;
    const known = this.#known.get(key)?.description;
    if (known !== undefined && isEqualCell(known, description)) return;
    this.#known.set(key, {
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
