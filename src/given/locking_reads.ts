import type { Catalog } from "../catalog/mod.ts";
import type { KnownColumns, Reply } from "../judge/mod.ts";
import type { LockingRead } from "../sql/mod.ts";
import { MAX_VALUE, type TouchedRows } from "../sql/pinned_values.ts";
import type { Shape } from "../sql/shape.ts";
import type { Giving } from "./giving.ts";
import { byteText } from "../wire/mod.ts";
import { type LockedKey, lockedKey, toldKeys } from "./locked_key.ts";
import { lockingPlaces } from "./locking_places.ts";
import { isLockingProved, keyCondition, lockingText } from "./locking_text.ts";
import { isErrorOf, type ToldRow } from "./told_rows.ts";

/** What all lanes of a mirror need to know of its locking reads. */
export interface LockingReadsOptions {
  readonly giving: Pick<Giving, "isOn">;
  readonly columns: KnownColumns;
}

/** Syntax, types and rights: classes of SQLSTATE that a written text may be to blame for. */
const GRAMMAR_OR_RIGHTS = /^42/;
/** So long other clients count as connected once they were, in microseconds: of thousands each answer costs a quarter of a millisecond. */
const BESIDE_US = 10_000;
/** Rows of one statement that are told apart for the order of writers; of more it may have taken any. */
const MAX_TAKEN_ROWS = 64;

/** Which statements with SKIP LOCKED one mirror is told the rows of. */
export class LockingReads {
  readonly #options: LockingReadsOptions;
  #catalog: Catalog | undefined;
  #besideUntilUs = 0;
  /** By the statement: null where the mirror is told nothing. */
  #known = new WeakMap<LockingRead, LockedKey | null>();

  constructor(options: LockingReadsOptions) {
    this.#options = options;
  }

  /** Whether the mirror is told rows at all. */
  get isOn(): boolean {
    return this.#options.giving.isOn;
  }

  /**
   * The key by which the rows of a statement are told; undefined: the mirror
   * gets it as it came.
   *
   * @param bytes its text in `bytes[from, to)`.
   */
  key(
    read: LockingRead,
    catalog: Catalog,
    bytes: Uint8Array,
    from: number,
    to: number,
  ): LockedKey | undefined {
    if (!this.isOn || isChosenOtherwise(read, catalog)) return undefined;
    this.#look(catalog);
    let known = this.#known.get(read);
    if (known === undefined) {
      known = find(read, catalog, bytes.subarray(from, to)) ?? null;
      this.#known.set(read, known);
    }
    return known ?? undefined;
  }

  /** The keys of the rows that a statement has locked on the primary; undefined: that is not told. */
  told(
    key: LockedKey,
    reply: Reply | undefined,
    shape: Shape,
  ): readonly ToldRow[] | undefined {
    return this.isOn
      ? toldKeys(key, reply, shape, this.#options.columns)
      : undefined;
  }

  /**
   * Whether no other client is connected who could hold locks.
   *
   * @param isAlone asks anew.
   */
  isAlone(isAlone: () => boolean, nowUs: number): boolean {
    if (nowUs < this.#besideUntilUs) return false;
    if (isAlone()) return true;
    this.#besideUntilUs = nowUs + BESIDE_US;
    return false;
  }

  /**
   * The rows that a statement has taken, where the mirror is known to be told them.
   *
   * @param isBinary whether a column of the answer came in binary.
   */
  taken(
    shape: Shape,
    reply: Reply,
    isBinary: (column: number) => boolean,
  ): readonly TouchedRows[] | undefined {
    const { lockingRead: read } = shape;
    const key = read && this.#known.get(read);
    if (key === undefined || key === null) return undefined;
    const rows = this.told(key, reply, shape);
    return rows === undefined || rows.length > MAX_TAKEN_ROWS
      ? undefined
      : touchedRows(key, rows, isBinary);
  }

  /** The mirror has answered a statement whose rows it was told. */
  answered({ lockingRead: read }: Shape, mirror: Reply | undefined): void {
    if (read === undefined) return;
    if (isErrorOf(mirror, GRAMMAR_OR_RIGHTS)) this.#known.set(read, null);
  }

  /** What is known of statements holds for one catalog. */
  #look(catalog: Catalog): void {
    if (catalog === this.#catalog) return;
    this.#catalog = catalog;
    this.#known = new WeakMap();
  }
}

/** Whether the mirror, which sorts a text otherwise, may choose other rows by it: that must show. */
function isChosenOtherwise(
  { relation, sorted, compared }: LockingRead,
  catalog: Catalog,
): boolean {
  if (sorted === undefined) return false;
  const names = (catalog.columns(relation) ?? []).map(({ name }) => name);
  const areKnown = compared !== "any" &&
    compared.every((name) => names.includes(name));
  return (areKnown ? compared : names).some((name) =>
    catalog.collationOf(relation, name)?.isOtherwise
  );
}

function find(
  read: LockingRead,
  catalog: Catalog,
  text: Uint8Array,
): LockedKey | undefined {
  const key = lockedKey(read, catalog);
  const places = key && lockingPlaces(text, 0, text.length);
  if (key === undefined || places === undefined) return undefined;
  const isTaken = keyCondition(key, () => "''", true);
  const written = lockingText(text, 0, text.length, places, isTaken);
  return isLockingProved(text, written, isTaken) ? key : undefined;
}

/** Keys as the judge tells rows apart. */
export function touchedRows(
  { read, columns }: LockedKey,
  rows: readonly ToldRow[],
  isBinary: (column: number) => boolean,
): readonly TouchedRows[] {
  return rows.map((row) => ({
    relation: read.name,
    values: columns.flatMap(({ name, output }, i) => {
      const cell = row[i];
      return cell === undefined || cell.length > MAX_VALUE ? [] : [{
        column: name,
        isBinary: isBinary(output),
        text: byteText(cell),
      }];
    }),
  }));
}
