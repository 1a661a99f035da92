import type { Catalog, CatalogColumn } from "../catalog/mod.ts";
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
import { literalOf } from "./value_text.ts";
import { insertPlaces } from "./insert_places.ts";
import {
  type DefaultsQuestion,
  type Objection,
  OwnDefaults,
  type SentInsert,
  type ToldValue,
} from "./own_defaults.ts";
import { sequenceOf } from "./own_numbers.ts";
import type { LeftOut } from "./own_sequence.ts";
import { isProved } from "./proof.ts";
import { updatedColumns } from "./updated_columns.ts";
import { isUpdateProved, updatedText } from "./updated_text.ts";

/** Why the mirror makes a column's values by itself. */
export type OwnReason =
  /** An INSERT leaves the column out, and its answer does not tell it. */
  | "not returned"
  /** currval() or lastval() tell what the mirror drew, where no log says what is to stand in their place. */
  | "currval"
  /** The mirror's answer had another value than it was given. */
  | "not kept"
  /** The mirror refused the statement. */
  | "refused"
  /** The mirror has given numbers that rows had already. */
  | "collided"
  /** `mirror_values = "own"`. */
  | "own"
  /** A trigger sets it. */
  | "trigger"
  /** It is computed from others that the mirror makes by itself. */
  | "computed"
  /** The mirror's user may not insert into it, or a rule of the relation stands before that. */
  | "no privilege"
  | Objection;

/** From so many numbers on that the mirror has refused as taken … */
const TAKEN = 3;
/** … and from such a share of the rows on a sequence is left to it. */
const TAKEN_SHARE = 0.02;
/** Columns that are left to the mirror, which are remembered. */
const MAX_OWN_COLUMNS = 10_000;

/** INSERTs that are remembered until their relation is known. */
const MAX_UNKNOWN = 1_000;

/** Hears once of each column that the mirror makes by itself; `*`: of all that have a sequence. */
export type OnOwn = (
  relation: string,
  column: string,
  reason: OwnReason,
) => void;

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
  readonly #onOwn: OnOwn;
  readonly #defaults = new OwnDefaults();
  /** Sequences, and columns without one: see keyOf. */
  readonly #own = new Map<string, OwnReason>();
  /** By the same: rows that were given, and numbers that the mirror has refused as taken. */
  readonly #counts = new Map<string, { rows: number; taken: number }>();
  /** Those of them that the log would tell. */
  readonly #untold = new Set<string>();
  /** What was missed of relations that are not in the catalog, yet: rows by session. */
  readonly #unknown = new Map<
    Insertion,
    Map<number, { readonly rows: number; readonly endUs: number }>
  >();
  /** By session the sequences of its last COPY, which it has not drawn from. */
  readonly #copied = new Map<number, GivenColumns>();
  #areSequencesOwn = false;
  #catalog: Catalog | undefined;
  /** By the statement: null where nothing can be given. */
  #all = new WeakMap<Insertion, GivenColumns | null>();
  /** Null where nothing is given. */
  #known = new WeakMap<Insertion, GivenColumns | null>();
  #knownUpdates = new WeakMap<Updating, GivenColumns | null>();
  /** What was noted. */
  #noted = new WeakSet<Shape["draws"]>();
  #hasLog = false;

  /** Columns with the objections to what was told of them that are known … */
  readonly #objections = new Set<string>();
  /** … and by OID and column the one to what was told last. */
  readonly #objected = new Map<string, Objection>();

  constructor(onOwn: OnOwn) {
    this.#onOwn = onOwn;
  }

  /** Whether the primary's log tells what answers do not. While it does, sequences are followed that were left for want of it. */
  set hasLog(hasLog: boolean) {
    if (hasLog === this.#hasLog) return;
    this.#hasLog = hasLog;
    if (hasLog) {
      for (const key of this.#untold) this.#own.delete(key);
      this.#untold.clear();
      this.#areSequencesOwn = false;
    }
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
    const { oid, relation } = given;
    const objection = this.#defaults.objection(oid, column, told, nowUs);
    const own = `${oid} ${column.name}`;
    if (objection === undefined) {
      this.#objected.delete(own);
      return true;
    }
    if (this.#objected.has(own) || this.#objected.size < MAX_OWN_COLUMNS) {
      this.#objected.set(own, objection);
    }
    const key = `${own} ${objection}`;
    if (!this.#objections.has(key) && this.#objections.size < MAX_OWN_COLUMNS) {
      this.#objections.add(key);
      this.#onOwn(relation.replace("\0", "."), column.name, objection);
    }
    return false;
  }

  /** Why the mirror has made a column's values by itself. */
  reasonOf(oid: string, name: string, catalog: Catalog): OwnReason {
    if (!this.isOn) return "own";
    const column = catalog.columnsOf(oid)?.find((one) => one.name === name);
    const left = column !== undefined && this.#own.size > 0
      ? this.#own.get(keyOf(oid, column))
      : undefined;
    // A sequence that could not be told anyway is among those that were not.
    if (left !== undefined && left !== "not returned") return left;
    const { nature, from = [] } = column?.default ?? {};
    if (nature === "sequence" && this.#areSequencesOwn) return "currval";
    const objection = this.#objected.get(`${oid} ${name}`);
    if (objection !== undefined) return objection;
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
    if (!this.#areSequencesOwn && tellsDrawn(shape) && !isTold) {
      this.#areSequencesOwn = true;
      this.#forget();
      this.#onOwn("*", "*", "currval");
    }
    this.#look(catalog);
    if (this.#noted.has(draws)) return;
    this.#noted.add(draws);
    const inserts = draws.filter(({ write }) => write.inserts);
    for (const { relation, write } of inserts) {
      // Within another statement, or beside another INSERT.
      const isInner = inserts.length > 1 || relation !== insertion?.relation;
      if (isInner) this.#leaveAll(relation, catalog, write.named);
    }
    if (insertion === undefined) return;
    const { columns } = this.#possible(insertion, catalog) ?? { columns: [] };
    const told = new Set(columns.map(({ name }) => name));
    // A sequence may stand in the place of a default.
    if (calls.includes("nextval")) {
      for (const name of insertion.columns) {
        if (!told.has(name)) this.#leaveColumn(insertion, name, catalog);
      }
    }
    this.#leaveSequences(insertion, catalog, told);
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
      this.#leaveSequences({ ...insertion, relation }, catalog, new Set());
    }
  }

  /**
   * The mirror has refused what the primary has not. If rows are there already,
   * numbers are given, perhaps, of which others are drawn unseen: both meet.
   */
  refused(
    { draws }: Shape,
    catalog: Catalog,
    mirror: Reply | undefined,
  ): void {
    if (!isErrorOf(mirror, UNIQUE_VIOLATION)) return;
    for (const { relation, write } of draws) {
      if (!write.inserts) continue;
      for (const oid of catalog.oids(relation)) {
        for (const column of catalog.columnsOf(oid) ?? []) {
          const counts = this.#counts.get(keyOf(oid, column));
          if (counts === undefined) continue;
          const isMuch = ++counts.taken >= TAKEN &&
            counts.taken >= TAKEN_SHARE * counts.rows;
          if (isMuch) this.#leave(oid, relation, column, "collided");
        }
      }
    }
  }

  /** All sequences of a relation, or of those that a view stands for, but for columns that have values. */
  #leaveAll(
    relation: string,
    catalog: Catalog,
    named: ReadonlyMap<string, unknown>,
  ): void {
    const name = relation.slice(relation.indexOf("\0") + 1);
    const all = catalog.isView(relation)
      ? catalog.reachOf({ reads: [], writes: [name], calls: [] })
        ?.written ?? []
      : [relation];
    for (const one of all) {
      for (const oid of catalog.oids(one)) {
        for (const column of catalog.columnsOf(oid) ?? []) {
          if (column.default?.nature !== "sequence") continue;
          if (named.has(column.name)) continue;
          this.#leave(oid, one, column, "not returned");
        }
      }
    }
  }

  #leaveColumn(
    { relation }: Insertion,
    name: string,
    catalog: Catalog,
  ): void {
    for (const oid of catalog.oids(relation)) {
      const column = catalog.columnsOf(oid)?.find((one) => one.name === name);
      if (column?.default?.nature !== "sequence") continue;
      this.#leave(oid, relation, column, "not returned");
    }
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
      this.#leave(given.oid, given.relation, column, reason);
    if (isErrorOf(mirror, GRAMMAR_OR_RIGHTS)) {
      for (const column of [...given.columns, ...given.updates]) {
        leave(column, "refused");
      }
    }
    for (const column of given.columns) this.#count(given.oid, column);
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

  #count(oid: string, column: GivenColumn): void {
    if (column.nature !== "sequence") return;
    const key = keyOf(oid, column);
    const counts = this.#counts.get(key);
    if (counts !== undefined) counts.rows++;
    else if (this.#counts.size < MAX_OWN_COLUMNS) {
      this.#counts.set(key, { rows: 1, taken: 0 });
    }
  }

  /** Sequences that a statement draws from, and that are not among those that are told. */
  #leaveSequences(
    insertion: Insertion,
    catalog: Catalog,
    told: ReadonlySet<string>,
  ): void {
    if (catalog.isView(insertion.relation)) {
      return this.#leaveAll(insertion.relation, catalog, new Map());
    }
    for (const oid of catalog.oids(insertion.relation)) {
      const columns = catalog.columnsOf(oid) ?? [];
      const names = columns.map(({ name }) => name);
      for (const column of columns) {
        const { name, default: own } = column;
        if (own?.nature !== "sequence" || told.has(name)) continue;
        if (!isDrawn(insertion, name, names)) continue;
        this.#leave(oid, insertion.relation, column, "not returned");
      }
    }
  }

  #leave(
    oid: string,
    relation: string,
    column: KeyedColumn,
    reason: OwnReason,
  ): void {
    const key = keyOf(oid, column);
    if (this.#own.has(key) || this.#own.size >= MAX_OWN_COLUMNS) return;
    this.#own.set(key, reason);
    if (reason === "not returned") this.#untold.add(key);
    this.#forget();
    this.#onOwn(relation.replace("\0", "."), column.name, reason);
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
    return !this.#own.has(keyOf(oid, column)) &&
      !(column.nature === "sequence" && this.#areSequencesOwn);
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
    this.#leaveSequences(insertion, catalog, new Set());
    return undefined;
  }
}

/** Whether a statement asks for what its session drew: on the mirror that is no number of the primary's. */
function tellsDrawn({ calls }: Shape): boolean {
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

const UNIQUE_VIOLATION = /^23505$/;

/** What a column is known by: its sequence, which others may share, or else itself. */
type KeyedColumn =
  & Pick<GivenColumn, "name">
  & Partial<Pick<GivenColumn, "expression">>
  & Partial<Pick<CatalogColumn, "replaceable">>;

function keyOf(
  oid: string,
  { name, expression, replaceable = expression }: KeyedColumn,
): string {
  return sequenceOf(replaceable ?? "") ?? `${oid} ${name}`;
}

/** Syntax, types and rights: classes of SQLSTATE that a written text may be to blame for. */
const GRAMMAR_OR_RIGHTS = /^42/;

/** Whether a column gets its default, in some rows at least. */
function isDrawn(
  { columns, source, width, defaults }: Insertion,
  column: string,
  names: readonly string[],
): boolean {
  const place = (columns.length > 0 ? columns : names).indexOf(column);
  if (source === "defaults") return true;
  if (columns.length > 0 && place < 0) return true;
  if (source !== "values" && source !== "constants") return false;
  return place >= width || defaults.some((at) => at % width === place);
}

function isEqualCell(
  a: Uint8Array | undefined,
  b: Uint8Array | undefined,
): boolean {
  if (a === undefined || b === undefined) return a === b;
  return isEqual(a, b);
}
