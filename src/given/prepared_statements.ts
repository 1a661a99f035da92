import type { Statements } from "../sql/shape.ts";

/** Statements that a session has prepared here with more parameters; others go as they came. */
const MAX_PREPARED = 10_000;

interface Change<T> {
  /** Which message of its cycle made it, from 0. */
  readonly message: number;
  readonly name: string;
  readonly before: T | undefined;
}

/**
 * What one connection has prepared, by name. Changes count at once, for the
 * messages behind them, and are taken back once the mirror has refused or
 * skipped the messages that they came with.
 */
export class PreparedStatements<T> {
  readonly #prepared = new Map<string, T>();
  #changes: Change<T>[] = [];

  get size(): number {
    return this.#prepared.size;
  }

  get(name: string): T | undefined {
    return this.#prepared.get(name);
  }

  /** Whether there is room for one more. */
  hasRoomFor(name: string): boolean {
    return name === "" || this.#prepared.size < MAX_PREPARED;
  }

  /** Undefined: the name stands for nothing, or for a statement as the client wrote it. */
  set(
    name: string,
    statement: T | undefined,
    message: number,
  ): void {
    const before = this.#prepared.get(name);
    if (before === statement) return;
    this.#changes.push({ message, name, before });
    this.#put(name, statement);
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

  #put(name: string, statement: T | undefined): void {
    if (statement === undefined) this.#prepared.delete(name);
    else this.#prepared.set(name, statement);
  }
}

/** A text has come that is no Parse: PREPARE, DEALLOCATE and DISCARD ALL give names another meaning. */
export function followNames<T>(
  prepared: PreparedStatements<T>,
  { shapes, links }: Statements,
  message: number,
): void {
  for (const link of links ?? []) {
    // By PREPARE it has the client's own parameters.
    if (link?.kind === "prepared" && link.defines !== undefined) {
      prepared.set(link.name, undefined, message);
    }
  }
  for (const { isControl, text } of shapes) {
    if (!isControl) continue;
    const [, quoted, plain] = DEALLOCATE.exec(text) ?? [];
    if (DISCARD_ALL.test(text) || plain?.toLowerCase() === "all") {
      prepared.forget(message);
    } else {
      const name = quoted?.replaceAll('""', '"') ?? plain?.toLowerCase();
      if (name !== undefined) prepared.set(name, undefined, message);
    }
  }
}

const DEALLOCATE =
  /^deallocate\s+(?:prepare\s+)?(?:"((?:[^"]|"")+)"|([^\s";]+))/i;
const DISCARD_ALL = /^discard\s+all\b/i;
