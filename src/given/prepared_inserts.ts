import type { Insertion } from "../sql/mod.ts";
import type { Shape } from "../sql/shape.ts";
import type { GivenColumns } from "./given_columns.ts";

/** Statements that a session has prepared here with more parameters; others are not given values. */
const MAX_PREPARED = 10_000;

/** A statement that is prepared on the mirror with more parameters than the client's. */
export interface PreparedInsert {
  readonly shape: Shape;
  readonly insertion: Insertion;
  readonly given: GivenColumns;
}

interface Change {
  /** Which message of its cycle made it, from 0. */
  readonly message: number;
  readonly name: string;
  readonly before: PreparedInsert | undefined;
}

/**
 * What one connection has prepared, by name. Changes count at once, for the
 * messages behind them, and are taken back once the mirror has refused or
 * skipped the messages that they came with.
 */
export class PreparedInserts {
  readonly #prepared = new Map<string, PreparedInsert>();
  #changes: Change[] = [];

  get size(): number {
    return this.#prepared.size;
  }

  get(name: string): PreparedInsert | undefined {
    return this.#prepared.get(name);
  }

  /** Whether there is room for one more. */
  hasRoomFor(name: string): boolean {
    return name === "" || this.#prepared.size < MAX_PREPARED;
  }

  /** Undefined: the name stands for nothing, or for a statement of the client's own. */
  set(
    name: string,
    insert: PreparedInsert | undefined,
    message: number,
  ): void {
    const before = this.#prepared.get(name);
    if (before === insert) return;
    this.#changes.push({ message, name, before });
    this.#put(name, insert);
  }

  /** No name stands for anything. */
  forget(message: number): void {
    for (const name of [...this.#prepared.keys()]) {
      this.set(name, undefined, message);
    }
  }

  /** The mirror has answered the cycle, and acted on so many of its messages. */
  answered(completed: number): void {
    for (const { message, name, before } of this.#changes.toReversed()) {
      if (message >= completed) this.#put(name, before);
    }
    this.#changes = [];
  }

  /** A new connection. */
  clear(): void {
    this.#prepared.clear();
    this.#changes = [];
  }

  #put(name: string, insert: PreparedInsert | undefined): void {
    if (insert === undefined) this.#prepared.delete(name);
    else this.#prepared.set(name, insert);
  }
}
