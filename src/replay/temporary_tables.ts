import type { Shape } from "../sql/shape.ts";

/** Names that are remembered; writes to the others count as anybody's. */
const MAX_TABLES = 1_000;

/**
 * The temporary tables of a session: no other session reads what is written to
 * them. In doubt (a ROLLBACK, a DROP, a definition that names no relation) a
 * name is forgotten, and a write to it counts as one to a table of all.
 */
export class TemporaryTables {
  readonly #lasting: Set<string>;
  /** Those of the transaction under way, and whether they stay behind it. */
  readonly #own = new Map<string, boolean>();
  /** Some of the transaction was undone. */
  #isUndone = false;

  /** @param from of a session that this one goes on with. */
  constructor(from?: TemporaryTables) {
    this.#lasting = new Set(from && from.#lasting);
  }

  /** What of a statement's writes other sessions may see. */
  visible({ writes, writesWithSchema }: Shape): readonly string[] {
    const hasAny = this.#own.size + this.#lasting.size > 0;
    return hasAny && writesWithSchema !== true
      ? writes.filter((name) => !this.#has(name))
      : writes;
  }

  /** Whether a definition is of such tables alone. */
  areOwn({ definition }: Shape): boolean {
    const relations = definition?.relations ?? "all";
    return relations !== "all" && definition?.isPlain === true &&
      relations.every((name) => this.#has(name));
  }

  #has(name: string): boolean {
    return this.#own.has(name) || this.#lasting.has(name);
  }

  /** A statement has succeeded. */
  note(shape: Shape): void {
    const { kind, text, definition } = shape;
    if (kind === "transaction") {
      if (/^(?:commit|end)/i.test(text)) this.end();
      else if (/^(?:rollback|abort)/i.test(text)) this.undo();
    } else if (kind === "ddl") {
      const { temporary, relations = "all" } = definition ?? {};
      if (temporary !== undefined) {
        if (!this.#isUndone) {
          this.#own.set(temporary.name, temporary.isLasting);
        }
      } else if (!this.areOwn(shape) || /^drop/i.test(text)) {
        this.#forget(relations);
      }
    } else if (/^discard/i.test(text)) this.#forget("all");
  }

  #forget(relations: readonly string[] | "all"): void {
    for (const names of [this.#own, this.#lasting]) {
      if (relations === "all") names.clear();
      else for (const name of relations) names.delete(name);
    }
  }

  /** An error or a ROLLBACK: which tables it has taken back is not followed. */
  undo(): void {
    this.#own.clear();
    this.#isUndone = true;
  }

  /** The transaction is over. */
  end(): void {
    for (const [name, isLasting] of this.#own) {
      if (isLasting && this.#lasting.size < MAX_TABLES) {
        this.#lasting.add(name);
      }
    }
    this.#own.clear();
    this.#isUndone = false;
  }
}
