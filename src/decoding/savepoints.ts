import type { Shape } from "../sql/shape.ts";

/** Follows a block's savepoints: what is kept of what was written. */
export class Savepoints {
  /** By name, with how much had been written before each. */
  #open: { readonly name: string; readonly written: number }[] = [];

  /**
   * Takes a statement that has run.
   *
   * @param name of its savepoint; undefined: it is not known, or it has none.
   * @param written how much has been written so far.
   * @returns how much of it is kept; undefined: that is not known.
   */
  kept(
    { kind, text }: Pick<Shape, "kind" | "text">,
    name: string | undefined,
    written: number,
  ): number | undefined {
    const [verb] = kind === "transaction" ? VERB.exec(text) ?? [] : [];
    if (verb === undefined) return written;
    if (name === undefined) return undefined;
    if (/^savepoint/i.test(verb)) {
      this.#open.push({ name, written });
      return written;
    }
    const at = this.#open.findLastIndex((one) => one.name === name);
    if (at < 0) return undefined;
    const isRelease = /^release/i.test(verb);
    const kept = isRelease ? written : this.#open[at]?.written;
    // Gone back to, it is still there.
    this.#open = this.#open.slice(0, isRelease ? at : at + 1);
    return kept;
  }
}

const VERB =
  /^\s*(?:savepoint|release|rollback(?:\s+(?:work|transaction))?\s+to)\b/i;
