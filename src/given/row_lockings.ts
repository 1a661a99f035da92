import type { Catalog } from "../catalog/mod.ts";
import type { KnownColumns, Reply } from "../judge/mod.ts";
import type { RowLocking } from "../sql/mod.ts";
import { MAX_VALUE, type TouchedRows } from "../sql/pinned_values.ts";
import type { Shape } from "../sql/shape.ts";
import type { Giving } from "./giving.ts";
import { byteText } from "../wire/mod.ts";
import { type LockedKey, lockedKey, toldKeys } from "./locked_key.ts";
import { lockingPlaces } from "./locking_places.ts";
import { isLockingProved, keyCondition, lockingText } from "./locking_text.ts";
import { type LoggedRows, loggedValue } from "./logged_rows.ts";
import { isErrorOf, type ToldRow } from "./told_rows.ts";

/** What all lanes of a mirror need to know of the rows that statements lock. */
export interface RowLockingsOptions {
  readonly giving: Pick<Giving, "isOn">;
  readonly columns: KnownColumns;
}

/** The rows that a statement has locked. */
export interface LockedRows {
  readonly rows: readonly ToldRow[];
  /** The primary's log has them, as texts; else the answer, as the client asked for it. */
  readonly isLogged: boolean;
}

/** Syntax, types and rights: classes of SQLSTATE that a written text may be to blame for. */
const GRAMMAR_OR_RIGHTS = /^42/;
/** So long other clients count as connected once they were, in microseconds: of thousands each answer costs a quarter of a millisecond. */
const BESIDE_US = 10_000;
/** Rows of one statement that are told apart for the order of writers; of more it may have taken any. */
const MAX_TAKEN_ROWS = 64;

/** Which statements one mirror is told the rows of. */
export class RowLockings {
  readonly #options: RowLockingsOptions;
  #catalog: Catalog | undefined;
  #besideUntilUs = 0;
  /** By the statement: null where the mirror is told nothing. */
  #known = new WeakMap<RowLocking, LockedKey | null>();

  constructor(options: RowLockingsOptions) {
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
    locking: RowLocking,
    catalog: Catalog,
    bytes: Uint8Array,
    from: number,
    to: number,
  ): LockedKey | undefined {
    if (!this.isOn) return undefined;
    this.#look(catalog);
    let known = this.#known.get(locking);
    if (known === undefined) {
      known = find(locking, catalog, bytes.subarray(from, to)) ?? null;
      this.#known.set(locking, known);
    }
    return known === null || isChosenOtherwise(locking, catalog)
      ? undefined
      : known;
  }

  /** Whether the mirror may be told the rows of a statement, or choose others by SKIP LOCKED. */
  isOfConcern({ rowLocking: locking }: Shape): boolean {
    return locking !== undefined &&
      (locking.own === undefined ||
        (this.#known.get(locking) ?? null) !== null);
  }

  /** Whether only the primary's log may tell the rows of a statement. */
  needsLog({ rowLocking: locking }: Shape, catalog: Catalog): boolean {
    if (locking?.own === undefined || !this.isOn) return false;
    this.#look(catalog);
    const known = this.#known.get(locking);
    return known?.columns.some(({ output }) => output === undefined) ?? false;
  }

  /**
   * The keys of the rows that a statement has locked on the primary; undefined:
   * that is not told.
   *
   * @param logged what the primary's log has of the rows that it wrote.
   */
  told(
    key: LockedKey,
    reply: Reply | undefined,
    shape: Shape,
    logged?: () => LoggedRows | undefined,
  ): LockedRows | undefined {
    if (!this.isOn) return undefined;
    const rows = toldKeys(key, reply, shape, this.#options.columns);
    if (rows !== undefined) return { rows, isLogged: false };
    const { locking: { own }, columns } = key;
    const inLog = own && loggedKeys(columns, logged?.());
    return inLog && { rows: inLog, isLogged: true };
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
    const { rowLocking: locking } = shape;
    const key = locking && this.#known.get(locking);
    if (key === undefined || key === null) return undefined;
    const told = this.told(key, reply, shape);
    return told === undefined || told.rows.length > MAX_TAKEN_ROWS
      ? undefined
      : touchedRows(key, told, isBinary);
  }

  /** The mirror has answered a statement whose rows it was told. */
  answered({ rowLocking: locking }: Shape, mirror: Reply | undefined): void {
    if (locking === undefined) return;
    if (isErrorOf(mirror, GRAMMAR_OR_RIGHTS)) this.#known.set(locking, null);
  }

  /** What is known of statements holds for one catalog. */
  #look(catalog: Catalog): void {
    if (catalog === this.#catalog) return;
    this.#catalog = catalog;
    this.#known = new WeakMap();
  }
}

/** Whether the mirror, which sorts a text otherwise, may choose other rows by it, which must show. */
function isChosenOtherwise(
  { relation, compared }: RowLocking,
  catalog: Catalog,
): boolean {
  const names = (catalog.columns(relation) ?? []).map(({ name }) => name);
  const areKnown = compared !== "any" &&
    compared.every((name) => names.includes(name));
  return (areKnown ? compared : names).some((name) =>
    catalog.collationOf(relation, name)?.isOtherwise
  );
}

function find(
  locking: RowLocking,
  catalog: Catalog,
  text: Uint8Array,
): LockedKey | undefined {
  const key = lockedKey(locking, catalog);
  const isOwn = locking.own !== undefined;
  const places = key && lockingPlaces(text, 0, text.length, isOwn);
  if (key === undefined || places === undefined) return undefined;
  const isTaken = keyCondition(key, () => "''", true);
  const written = lockingText(text, 0, text.length, places, isTaken);
  return isLockingProved(text, written, isTaken, isOwn) ? key : undefined;
}

/** The rows of a key that the primary's log has; undefined: not of each. */
function loggedKeys(
  columns: LockedKey["columns"],
  logged: LoggedRows | undefined,
): readonly ToldRow[] | undefined {
  const keys = logged?.map((row) =>
    columns.map((column) => loggedValue(column, row).value)
  );
  return keys?.every((key) => !key.includes(undefined)) ? keys : undefined;
}

/** Keys as the judge tells rows apart. */
export function touchedRows(
  { locking, columns }: LockedKey,
  { rows, isLogged }: LockedRows,
  isBinary: (column: number) => boolean,
): readonly TouchedRows[] {
  return rows.map((row) => ({
    relation: locking.name,
    values: columns.flatMap(({ name, output }, i) => {
      const cell = row[i];
      return cell === undefined || cell.length > MAX_VALUE ? [] : [{
        column: name,
        isBinary: !isLogged && output !== undefined && isBinary(output),
        text: byteText(cell),
      }];
    }),
  }));
}
