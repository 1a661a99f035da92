import type { Shape } from "../sql/shape.ts";
import {
  Collector,
  DATA_ROW,
  type Framer,
  ROW_DESCRIPTION,
} from "../wire/mod.ts";

const decoder = new TextDecoder();

/**
 * Looks whether rows that came in the order of a top-level ORDER BY have equal
 * keys: then another order of them is no difference. Rows are sorted, so equal
 * keys are neighbours. Only the mirror's rows are looked at, where there is time.
 */
export class SortTies {
  readonly #body = new Collector();
  /** Output columns by shape: an execution need not describe them again. */
  readonly #columns: Map<Shape, readonly string[]>;
  #shape: Shape | undefined;
  #keys: readonly number[] | undefined;
  #previous = "";
  #rows = 0;
  #ties = false;

  /** @param columns shared by all sessions of a mirror. */
  constructor(columns: Map<Shape, readonly string[]>) {
    this.#columns = columns;
  }

  /** A statement's reply begins. */
  begin(shape: Shape): void {
    this.#shape = shape;
    this.#rows = 0;
    this.#ties = false;
    this.#previous = "";
    this.#keys = undefined;
    if (shape.orderBy) this.#findKeys();
  }

  /** No reply is to come for now: memory goes back. */
  rest(): void {
    this.#body.rest();
    this.#shape = this.#keys = undefined;
    this.#previous = "";
  }

  /** Memory that a reply has taken, and that lasts. */
  get heldBytes(): number {
    return this.#body.heldBytes + 2 * this.#previous.length;
  }

  /** Whether equal keys explain another order: there were some, or the keys are not among the columns. */
  get ties(): boolean {
    return this.#ties || this.#keys === undefined;
  }

  /** Takes one step of the framer that cuts the reply. */
  step(framer: Framer, chunk: Uint8Array, from: number, to: number): void {
    if (!this.#shape?.orderBy) return;
    if (framer.type !== DATA_ROW && framer.type !== ROW_DESCRIPTION) return;
    if (this.#ties) return;
    this.#body.take(chunk, from, to, framer.started, framer.finished);
    if (!framer.finished) return;
    const body = this.#body.bytes.subarray(0, this.#body.length);
    if (framer.type === ROW_DESCRIPTION) this.#describe(body);
    else if (this.#body.truncated) this.#ties = true; // nobody knows
    else this.#row(body);
  }

  #describe(body: Uint8Array): void {
    const names: string[] = [];
    for (let at = 2; at < body.length;) {
      const end = body.indexOf(0, at);
      if (end < 0) break;
      names.push(decoder.decode(body.subarray(at, end)));
      at = end + 19;
    }
    if (this.#shape !== undefined) this.#columns.set(this.#shape, names);
    this.#findKeys();
  }

  #findKeys(): void {
    const shape = this.#shape as Shape; // begin has set it
    const names = this.#columns.get(shape) ?? [];
    const keys = (shape.orderBy ?? []).map((key) =>
      typeof key === "number" ? key - 1 : names.indexOf(key)
    );
    this.#keys = keys.some((key) => key < 0) ? undefined : keys;
  }

  #row(body: Uint8Array): void {
    if (this.#keys === undefined) return;
    const key = this.#keys.map((column) => columnText(body, column)).join("\0");
    if (this.#rows > 0 && key === this.#previous) this.#ties = true;
    this.#previous = key;
    this.#rows++;
  }
}

/** A column's bytes as text that is equal for equal bytes. */
function columnText(body: Uint8Array, column: number): string {
  const view = new DataView(body.buffer, body.byteOffset, body.length);
  let at = 2;
  for (let i = 0; at + 4 <= body.length; i++) {
    const length = view.getInt32(at);
    at += 4;
    if (i === column) {
      return length < 0 ? "null" : "=" +
        String.fromCharCode(
          ...body.subarray(at, at + Math.min(length, 1_000)),
        );
    }
    at += Math.max(0, length);
  }
  return "";
}
