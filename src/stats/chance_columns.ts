/** A column that chance fills, and where one mirror has its values from. */
export interface ChanceColumn {
  readonly database: string;
  readonly mirror: string;
  /** With its schema, as `public.orders`. */
  readonly relation: string;
  readonly column: string;
  /** What makes its values. */
  readonly kind: "sequence" | "time" | "chance";
  /** The only sequence that its default draws from; null: there is none, or it is not known. */
  readonly sequence: string | null;
  /** Rows that the mirror was given the primary's values for. */
  readonly givenRows: number;
  /** Statements for which the mirror has made values by itself, by the reason. */
  readonly drawn: Readonly<Record<string, number>>;
  /** When it first has, in milliseconds since the epoch; null: never. */
  readonly since: number | null;
}

/** As differences name it. */
export function chanceColumnName(
  { relation, column }: Pick<ChanceColumn, "relation" | "column">,
): string {
  return `${relation}.${column}`;
}

/** The main thread's copy of what the mirror worker knows, since the process began. */
export class ChanceColumnStore {
  readonly #columns = new Map<string, ChanceColumn>();

  /** Takes what has changed; each replaces the one before. */
  update(columns: readonly ChanceColumn[]): void {
    for (const one of columns) {
      const { database, mirror, relation, column } = one;
      const key = JSON.stringify([database, mirror, relation, column]);
      this.#columns.set(key, one);
    }
  }

  /** In the order of their first sight. */
  all(): ChanceColumn[] {
    return [...this.#columns.values()];
  }
}
