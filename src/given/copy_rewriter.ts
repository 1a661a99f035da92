import { byteText } from "../wire/mod.ts";
import type { CopyData } from "./copy_data.ts";
import { fieldsOf, rowCount, withFields } from "./copy_data.ts";
import { withColumns, type WrittenCopy } from "./copy_statement.ts";
import type { GivenColumn } from "./given_columns.ts";
import type { LoggedRows } from "./logged_rows.ts";

/** Written texts that are remembered. If there are more, all are written anew. */
const MAX_TEXTS = 200;
/** Bytes of a COPY's text that is looked at. */
export const MAX_COPY_TEXT = 10_000;

/** A COPY as the mirror gets it. */
export interface CopyWithValues {
  readonly text: Uint8Array<ArrayBuffer>;
  readonly data: Uint8Array<ArrayBuffer>;
  /** The client's own data, which these stand for: `[from, end)`. */
  readonly from: number;
  readonly end: number;
  /** Those of the columns that it has values for. */
  readonly columns: readonly GivenColumn[];
}

/** Writes COPYs with values of the primary's log in columns of their own. */
export class CopyRewriter {
  /** Null: can't be written. */
  readonly #texts = new Map<string, WrittenCopy | null>();

  /**
   * Writes one COPY.
   *
   * @param text its text.
   * @param data what the client sent for it, in `bytes`.
   * @param rows what the log has of its rows, in their order.
   * @returns undefined if it is not understood, or has not as many rows.
   */
  written(
    bytes: Uint8Array<ArrayBuffer>,
    text: Uint8Array,
    data: CopyData,
    rows: LoggedRows,
    columns: readonly GivenColumn[],
  ): CopyWithValues | undefined {
    const layout = columns.length === 0
      ? undefined
      : this.#text(text, columns)?.layout;
    if (layout === undefined) return undefined;
    const fields = fieldsOf(columns, layout, rows);
    const told = [...fields.keys()];
    const written = told.length > 0 ? this.#text(text, told) : undefined;
    const more = [...fields.values()];
    const filled = written &&
      withFields(bytes, data, layout, more, rows.length);
    return filled && {
      text: written.text,
      data: filled,
      from: data.from,
      end: data.to,
      columns: told,
    };
  }

  /** How many rows a COPY has; 0: that is not known. */
  rows(bytes: Uint8Array, text: Uint8Array, data: CopyData): number {
    const layout = this.#text(text, [])?.layout;
    return layout === undefined ? 0 : rowCount(bytes, data, layout) ?? 0;
  }

  #text(
    text: Uint8Array,
    columns: readonly GivenColumn[],
  ): WrittenCopy | undefined {
    if (text.length > MAX_COPY_TEXT) return undefined;
    const names = columns.map(({ name }) => name);
    const key = [byteText(text), ...names].join("\0");
    let known = this.#texts.get(key);
    if (known === undefined) {
      if (this.#texts.size >= MAX_TEXTS) this.#texts.clear();
      known = withColumns(text, names) ?? null;
      this.#texts.set(key, known);
    }
    return known ?? undefined;
  }
}
