import {
  CYCLE_BYTES,
  CYCLE_WORDS,
  cycleCount,
  cycleStart,
  type Transaction,
} from "../record/mod.ts";
import type { IsolationLevel } from "../sql/mod.ts";
import type { Shape } from "../sql/shape.ts";
import type { RowLockings } from "../given/mod.ts";
import { ANYWHERE, type Footprint } from "./footprint.ts";
import { type Placed, placeTransaction } from "./placing.ts";
import { NO_ROLLBACK, type Rollback, rollbackOf } from "./rollback.ts";
import type { Asked, SessionStatements } from "./session_statements.ts";

/** Of statements that nobody has followed. */
export const UNPLANNED: PlannedStatements = {
  shapes: [],
  rows: [],
  written: [],
  described: [],
  snapshotUs: undefined,
  rollback: NO_ROLLBACK,
};

/** What is known of a transaction's statements before it is replayed. */
export interface Plan extends Placed {
  /** For each cycle the shapes of its results, in order. */
  readonly shapes: readonly (readonly Shape[])[];
  /** For each cycle the rows that its statements touch; see {@linkcode Asked}. */
  readonly rows: readonly Asked["rows"][];
  /** For each cycle what its statements write, as far as their texts and values tell. */
  readonly written: readonly Asked["written"][];
  /** For each cycle the statements that it describes beside those that it runs. */
  readonly described: readonly Asked["described"][];
  /** When it took the one snapshot that it sees; undefined: each statement has its own. */
  readonly snapshotUs: number | undefined;
  /** How the mirror rolls back what the primary did. */
  readonly rollback: Rollback;
  /** No statement changes data, definitions or session state. */
  readonly readOnly: boolean;
}

/** What a replay knows of the statements of a transaction. */
export type PlannedStatements = Pick<
  Plan,
  "shapes" | "rows" | "written" | "described" | "snapshotUs" | "rollback"
>;

/**
 * Follows the session's statements through `transaction`, and says where it
 * stands in the order.
 *
 * @param leastKey the key of the session's transaction before it.
 * @param reads tells the rows that a statement has locked, and no others written.
 */
export function planTransaction(
  transaction: Transaction,
  session: SessionStatements,
  footprintOf: (shape: Shape) => Footprint = () => ANYWHERE,
  leastKey = 0,
  reads?: Pick<RowLockings, "taken">,
): Plan {
  const { bytes, cycles, startUs } = transaction;
  const count = cycleCount(transaction);
  const all: Asked[] = [];
  let offset = 0;
  let isolation: IsolationLevel | undefined = session.isolation;
  let firstUs: number | undefined;
  for (let i = 0; i < count; i++) {
    const end = offset + (cycles[i * CYCLE_WORDS + CYCLE_BYTES] as number);
    const asked = session.cycle(bytes, offset, end);
    offset = end;
    all.push(asked);
    for (const shape of asked.shapes) {
      if (shape.isolation?.of === "transaction") {
        isolation = shape.isolation.level;
      }
      session.noteIsolation(shape);
      // BEGIN and SET take no snapshot.
      if (!shape.isControl) {
        firstUs ??= startUs + cycleStart(cycles, i * CYCLE_WORDS);
      }
    }
  }
  const placed = placeTransaction(transaction, all, {
    footprintOf,
    leastKey,
    isSnapshot: isolation === "snapshot",
    temporary: session.temporary,
    reads,
  });
  const shapes = all.map((asked) => asked.shapes);
  const readOnly = shapes.every((cycle) =>
    cycle.every(({ kind, locks }) =>
      kind === "read" && !locks || kind === "transaction"
    )
  );
  return {
    shapes,
    rows: all.map((asked) => asked.rows),
    written: all.map((asked) => asked.written),
    described: all.map((asked) => asked.described),
    ...placed,
    snapshotUs: isolation === "snapshot" ? firstUs : undefined,
    rollback: rollbackOf(transaction, shapes, footprintOf),
    readOnly,
  };
}

/** Whether it has changed definitions on the primary. */
export function defines({ turns }: Plan): boolean {
  return turns.some((turn) => turn.defines);
}

/** Whether `level` wants the transaction: PgDog's three, and "read" for a mirror that is itself a replica. */
export function isWithin(
  level: "all" | "dml" | "ddl" | "read",
  { readOnly, shapes }: Plan,
): boolean {
  if (level === "all") return true;
  if (level === "read") return readOnly;
  const ddl = shapes.some((cycle) => cycle.some(({ kind }) => kind === "ddl"));
  return level === "ddl" ? ddl : !ddl;
}
