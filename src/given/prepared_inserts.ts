import type { Insertion } from "../sql/mod.ts";
import type { Shape } from "../sql/shape.ts";
import type { GivenColumns } from "./given_columns.ts";

/** A statement that is prepared on the mirror with more parameters than the client's, or a COPY. */
export interface PreparedInsert {
  readonly shape: Shape;
  /** Undefined: it is an UPDATE. */
  readonly insertion: Insertion | undefined;
  readonly given: GivenColumns;
  /** Of a COPY, which is prepared as the client wrote it. */
  readonly text?: Uint8Array;
}
