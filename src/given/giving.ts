import type { Catalog } from "../catalog/mod.ts";
import type { Reply } from "../judge/mod.ts";
import type { Insertion, Updating } from "../sql/mod.ts";
import type { Shape } from "../sql/shape.ts";
import { isEqual } from "../wire/mod.ts";
import { drawnRows, insertedRows, isErrorOf, toldRows } from "./told_rows.ts";
import { CopyRewriter } from "./copy_rewriter.ts";
import {
  type GivenColumn,
  type GivenColumns,
  givenColumns,
} from "./given_columns.ts";
import { givenText } from "./given_text.ts";
import { LeftColumns, type OnOwn, type OwnReason } from "./left_columns.ts";
import { literalOf } from "./value_text.ts";
import { insertPlaces } from "./insert_places.ts";
import {
  type DefaultsQuestion,
  OwnDefaults,
  type SentInsert,
  type ToldValue,
} from "./own_defaults.ts";
import type { LeftOut } from "./own_sequence.ts";
import { isProved } from "./proof.ts";
import { updatedColumns } from "./updated_columns.ts";
import { isUpdateProved, updatedText } from "./updated_text.ts";

/** INSERTs that are remembered until their relation is known. */
const MAX_UNKNOWN = 1_000;

/**
 * Which values that the primary generated one mirror is given. A sequence is
 * followed only while the answers of all INSERTs tell what it gave: numbers of
 * both servers would meet.
 */
export class Giving {
  /** Whether the mirror is given values at all. */
  isOn = true;
  /** Writes COPYs. */
  readonly copies = new CopyRewriter();
  readonly #left: LeftColumns;
  readonly #defaults = new OwnDefaults();
  /** What was missed of relations that are not in the catalog, yet: rows by session. */
  readonly #unknown = new Map<
    Insertion,
    Map<number, { readonly rows: number; readonly endUs: number }>
  >();
  /** By session the sequences of its last COPY, which it has not drawn from. */
  readonly #copied = new Map<number, GivenColumns>();
  #catalog: Catalog | undefined;
  /** By the statement: null where nothing can be given. */
  #all = new WeakMap<Insertion, GivenColumns | null>();
  /** Null where nothing is given. */
  #known = new WeakMap<Insertion, GivenColumns | null>();
  #knownUpdates = new WeakMap<Updating, GivenColumns | null>();
  /** What was noted. */
  #noted = new WeakSet<Shape["draws"]>();
  #hasLog = false;

  constructor(onOwn: OnOwn) {
    this.#left = new LeftColumns(onOwn, () => this.#forget());
  }

  /** Whether the primary's log tells what answers do not. While it does, sequences are followed that were left for want of it. */
  set hasLog(hasLog: boolean) {
    if (hasLog === this.#hasLog) return;
    this.#hasLog = hasLog;
    if (hasLog) this.#left.follow();
    this.#all = new WeakMap();
    this.#forget();
    this.#noted = new WeakSet();
  }

  /** Whether the log must tell some of what the mirror is given of a statement. */
  needsLog({ insertion, updating }: Shape, catalog: Catalog): boolean {
    if (!this.isOn || !this.#hasLog) return false;
    this.#look(catalog);
    const found = insertion !== undefined
      ? this.#columnsOf(insertion, catalog)
      : updating && this.#updatedColumns(updating, catalog);
    // Which of the rows have come back their answer does not tell.
    const { onConflict, rows = 0 } = insertion ?? {};
    const isUnsure = onConflict === "nothing" && rows > 1;
    return found !== undefined &&
      [...found.columns, ...found.updates].some(({ output }) =>
        isUnsure || output === "log"
      );
  }

  /** What a mirror is given of an UPDATE; undefined: nothing. Parameters as of {@linkcode columns}. */
  updated(
    updating: Updating,
    catalog: Catalog,
    bytes: Uint8Array,
    from: number,
    to: number,
  ): GivenColumns | undefined {
    if (!this.isOn || !this.#hasLog) return undefined;
    this.#look(catalog);
    let known = this.#knownUpdates.get(updating);
    if (known === undefined) {
      const text = bytes.subarray(from, to);
      const given = this.#updatedColumns(updating, catalog);
      const written = given &&
        updatedText(text, 0, text.length, updating, given, () => "$1");
      const isSure = written !== undefined &&
        isUpdateProved(text, written, given as GivenColumns);
      known = isSure ? given as GivenColumns : null;
      this.#knownUpdates.set(updating, known);
    }
    return known ?? undefined;
  }

  #updatedColumns(
    updating: Updating,
    catalog: Catalog,
  ): GivenColumns | undefined {
    const found = updatedColumns(updating, catalog);
    const columns =
      found?.columns.filter((column) => this.#isGiven(found, column)) ?? [];
    return found === undefined || columns.length === 0
      ? undefined
      : { ...found, columns };
  }

  /**
   * What a mirror is given of an INSERT; undefined: nothing.
   *
   * @param bytes its text in `bytes[from, to)`.
   */
  columns(
    insertion: Insertion,
    catalog: Catalog,
    bytes: Uint8Array,
    from: number,
    to: number,
  ): GivenColumns | undefined {
    if (!this.isOn) return undefined;
    this.#look(catalog);
    let known = this.#known.get(insertion);
    if (known === undefined) {
      known = this.#find(insertion, catalog, bytes.subarray(from, to)) ?? null;
      this.#known.set(insertion, known);
    }
    return known ?? undefined;
  }

  /** What the mirror is asked for before it gets a cycle with these statements; undefined: nothing. */
  question(
    shapes: readonly Shape[],
    catalog: Catalog,
    session: number,
    nowUs: number,
  ): DefaultsQuestion | undefined {
    if (!this.isOn) return undefined;
    let isExact = true;
    const inserts: SentInsert[] = [];
    const copied = this.#copied.get(session);
    if (copied !== undefined && shapes.some(tellsDrawn)) {
      // lastval() fails in a session that has drawn nothing.
      this.#copied.delete(session);
      this.#owe(copied, copied.columns, 1, { session, endUs: 0 });
      inserts.push({ given: copied, isExact: false });
    }
    for (const { insertion, isControl } of shapes) {
      const given = insertion && this.#possible(insertion, catalog);
      if (given !== undefined) inserts.push({ given, isExact });
      isExact &&= isControl;
    }
    return this.#defaults.question(inserts, session, nowUs);
  }

  /** The mirror has answered a question; undefined: it has not as it should. */
  questionAnswered(question: DefaultsQuestion, reply: Reply | undefined): void {
    const rows = toldRows(reply);
    this.#defaults.answered(question, rows?.[0]);
  }

  /** The mirror's connection was lost over a question. */
  questionLost(question: DefaultsQuestion): void {
    this.#defaults.unanswered(question);
  }

  /**
   * The mirror does not carry a statement out. What it drew on the primary is
   * drawn on the mirror, too: otherwise a sequence would fall behind by what is
   * left out, and give numbers that rows of the primary have.
   *
   * @param leftOut whose transaction it is of.
   */
  missed(
    { insertion }: Shape,
    catalog: Catalog,
    primary: Reply | undefined,
    leftOut: LeftOut,
  ): void {
    if (!this.isOn || insertion === undefined) return;
    const rows = drawnRows(insertion, primary);
    // How many rows it had come to nobody knows.
    const isUnknown = insertion.source === "copy" && rows === 0 &&
      drawnRows({ rows: 1 }, primary) > 0;
    if (isUnknown) this.untold(insertion, catalog);
    if (rows > 0) this.#missed(insertion, catalog, rows, leftOut);
  }

  #missed(
    insertion: Insertion,
    catalog: Catalog,
    rows: number,
    leftOut: LeftOut,
  ): void {
    if (catalog.oids(insertion.relation).length === 0) {
      return this.#remember(insertion, rows, leftOut);
    }
    const given = this.#columnsOf(insertion, catalog);
    if (given === undefined) return;
    this.#owe(given, given.columns, rows, leftOut);
  }

  /** A COPY has values in the place of these defaults: no number is drawn with it. */
  copied(
    given: GivenColumns,
    columns: Iterable<GivenColumn>,
    rows: number,
    leftOut: LeftOut,
  ): void {
    const drawn = [...columns].filter(({ nature }) => nature === "sequence");
    if (drawn.length === 0) return;
    this.#owe(given, drawn, rows, leftOut);
    if (this.#copied.size >= MAX_UNKNOWN) this.#copied.clear();
    this.#copied.set(leftOut.session, { ...given, columns: drawn });
  }

  #owe(
    { oid }: GivenColumns,
    columns: readonly GivenColumn[],
    rows: number,
    leftOut: LeftOut,
  ): void {
    for (const column of columns) {
      if (column.nature !== "sequence") continue;
      this.#defaults.missed(oid, column, rows, leftOut);
    }
  }

  #remember(insertion: Insertion, rows: number, leftOut: LeftOut): void {
    let sessions = this.#unknown.get(insertion);
    if (sessions === undefined) {
      if (this.#unknown.size >= MAX_UNKNOWN) return;
      sessions = new Map();
      this.#unknown.set(insertion, sessions);
    }
    // Of many sessions the numbers count, not whose they are.
    const key = sessions.size < MAX_UNKNOWN ? leftOut.session : 0;
    const before = sessions.get(key);
    sessions.set(key, {
      rows: (before?.rows ?? 0) + rows,
      endUs: Math.max(before?.endUs ?? 0, leftOut.endUs),
    });
  }

  /** Whether a column is not left to the mirror: what is prepared was written when it was still given. */
  mayGive(given: GivenColumns, column: GivenColumn): boolean {
    return this.isOn && this.#isGiven(given, column);
  }

  /** Whether the mirror gets what the primary told of a column. */
  accepts(
    given: GivenColumns,
    column: GivenColumn,
    told: ToldValue,
    nowUs: number,
  ): boolean {
    if (!this.mayGive(given, column)) return false;
    const objection = this.#defaults.objection(given.oid, column, told, nowUs);
    this.#left.objected(given, column, objection);
    return objection === undefined;
  }

  /** Why the mirror has made a column's values by itself. */
  reasonOf(oid: string, name: string, catalog: Catalog): OwnReason {
    if (!this.isOn) return "own";
    const column = catalog.columnsOf(oid)?.find((one) => one.name === name);
    const reason = column && this.#left.reasonOf(oid, column);
    if (reason !== undefined) return reason;
    const { nature, from = [] } = column?.default ?? {};
    const changes = catalog.changedByTrigger(oid);
    if (changes === "all" || changes?.has(name)) return "trigger";
    if (from.length > 0) return "computed";
    const isFixed = nature === undefined || nature === "fixed";
    return isFixed || column?.replaceable !== undefined
      ? "not returned"
      : "no privilege";
  }

  /** A statement has come in, which may be replayed or not: what it draws and nobody is told is remembered. */
  note(shape: Shape, catalog: Catalog): void {
    if (!this.isOn) return;
    const { insertion, calls, draws } = shape;
    const isTold = this.#hasLog && isTelling(shape);
    if (tellsDrawn(shape) && !isTold) this.#left.leaveDrawn();
    this.#look(catalog);
    if (this.#noted.has(draws)) return;
    this.#noted.add(draws);
    const inserts = draws.filter(({ write }) => write.inserts);
    for (const { relation, write } of inserts) {
      // Within another statement, or beside another INSERT.
      const isInner = inserts.length > 1 || relation !== insertion?.relation;
      if (isInner) this.#left.leaveAll(relation, catalog, write.named);
    }
    if (insertion === undefined) return;
    const { columns } = this.#possible(insertion, catalog) ?? { columns: [] };
    const told = new Set(columns.map(({ name }) => name));
    // A sequence may stand in the place of a default.
    if (calls.includes("nextval")) {
      for (const name of insertion.columns) {
        if (!told.has(name)) this.#left.leaveColumn(insertion, name, catalog);
      }
    }
    this.#left.leaveSequences(insertion, catalog, told);
  }

  /**
   * An INSERT goes to the mirror as it came, or its answer does not tell which rows it inserted.
   *
   * @param isElsewhere its relation may be any of the name.
   */
  untold(insertion: Insertion, catalog: Catalog, isElsewhere = false): void {
    if (!this.isOn) return;
    const { relation } = insertion;
    const keys = isElsewhere ? catalog.keysOfName(relation) : [relation];
    for (const relation of keys) {
      this.#left.leaveSequences({ ...insertion, relation }, catalog, new Set());
    }
  }

  /** The mirror has refused what the primary has not. */
  refused(...refused: Parameters<LeftColumns["refused"]>): void {
    this.#left.refused(...refused);
  }

  /**
   * The mirror has answered an INSERT that was given values.
   *
   * @returns how many rows of it were inserted with them.
   */
  answered(
    given: GivenColumns,
    primary: Reply | undefined,
    mirror: Reply | undefined,
  ): number {
    const leave = (column: GivenColumn, reason: OwnReason) =>
      this.#left.leave(given.oid, given.relation, column, reason);
    if (isErrorOf(mirror, GRAMMAR_OR_RIGHTS)) {
      for (const column of [...given.columns, ...given.updates]) {
        leave(column, "refused");
      }
    }
    for (const column of given.columns) this.#left.count(given.oid, column);
    const theirs = toldRows(primary);
    const ours = toldRows(mirror);
    // Of what the log told alone nothing comes back.
    if (given.columns.every(({ output }) => output === "log")) {
      return insertedRows(mirror);
    }
    if (theirs === undefined || ours?.length !== theirs.length) return 0;
    for (const column of given.columns) {
      const { output } = column;
      if (output === "log") continue;
      const isKept = theirs.every((row, i) =>
        isEqualCell(row.at(output), ours[i]?.at(output))
      );
      if (!isKept) leave(column, "not kept");
    }
    return theirs.length;
  }

  /** What is known of statements holds for one catalog. */
  #look(catalog: Catalog): void {
    if (catalog === this.#catalog) return;
    this.#catalog = catalog;
    this.#all = new WeakMap();
    this.#forget();
    this.#noted = new WeakSet();
    for (const [insertion, sessions] of this.#unknown) {
      if (catalog.oids(insertion.relation).length === 0) continue;
      this.#unknown.delete(insertion);
      for (const [session, { rows, endUs }] of sessions) {
        this.#missed(insertion, catalog, rows, { session, endUs });
      }
    }
  }

  #forget(): void {
    this.#known = new WeakMap();
    this.#knownUpdates = new WeakMap();
  }

  #isGiven({ oid }: GivenColumns, column: GivenColumn): boolean {
    return !this.#left.has(oid, column);
  }

  #columnsOf(
    insertion: Insertion,
    catalog: Catalog,
  ): GivenColumns | undefined {
    const found = this.#possible(insertion, catalog);
    if (found === undefined) return undefined;
    const [columns = [], updates = []] = [found.columns, found.updates].map(
      (all) => all.filter((column) => this.#isGiven(found, column)),
    );
    return columns.length + updates.length === 0
      ? undefined
      : { ...found, columns, updates };
  }

  /** Columns that it might be given if all goes well. */
  #possible(insertion: Insertion, catalog: Catalog): GivenColumns | undefined {
    this.#look(catalog);
    let possible = this.#all.get(insertion);
    if (possible === undefined) {
      possible = givenColumns(insertion, catalog, this.#hasLog) ?? null;
      this.#all.set(insertion, possible);
    }
    return possible ?? undefined;
  }

  #find(
    insertion: Insertion,
    catalog: Catalog,
    text: Uint8Array,
  ): GivenColumns | undefined {
    const given = this.#columnsOf(insertion, catalog);
    // Its text is looked at with its data.
    if (given === undefined || insertion.source === "copy") return given;
    const places = insertPlaces(text, 0, text.length, insertion);
    const written = places && givenText(
      text,
      0,
      text.length,
      insertion,
      places,
      given,
      () => literalOf("1"),
    );
    if (isProved(text, written, insertion, given)) return given;
    this.#left.leaveSequences(insertion, catalog, new Set());
    return undefined;
  }
}

/** Whether a statement asks for what its session drew: on the mirror that is no number of the primary's. */
export function tellsDrawn({ calls }: Shape): boolean {
  return calls.includes("currval") || calls.includes("lastval");
}

/** Whether it only tells its client of it, or writes it as what the log has. */
function isTelling(
  { kind, reads, insertion, updating, text }: Shape,
): boolean {
  if (kind === "read" && reads.length === 0) return true;
  const asked = text.match(/\b(?:currval|lastval)\b/gi)?.length ?? 0;
  const told = (insertion?.chances ?? updating?.sets ?? []).length;
  return told >= asked;
}

/** Syntax, types and rights: classes of SQLSTATE that a written text may be to blame for. */
const GRAMMAR_OR_RIGHTS = /^42/;

function isEqualCell(
  a: Uint8Array | undefined,
  b: Uint8Array | undefined,
): boolean {
  if (a === undefined || b === undefined) return a === b;
  return isEqual(a, b);
}
