import type { Catalog } from "../catalog/mod.ts";
import type { TouchedRows } from "../sql/pinned_values.ts";
import type { Shape } from "../sql/shape.ts";
import type { Mask } from "../sql/trait.ts";
import { Result } from "../stats/ledger.ts";
import {
  FLAG_ROWS,
  KIND_ERROR,
  KIND_MASK,
  STATEMENT_KIND,
  STATEMENT_ROWS,
  STATEMENT_SQLSTATE,
  STATEMENT_TAG,
  tagText,
  type Transaction,
} from "../record/mod.ts";
import { haveEqualDescriptions } from "./answer.ts";
import { CLOCK_MARGIN_US } from "./cell_rules.ts";
import { columnDifference } from "./column_difference.ts";
import { compare } from "./compare.ts";
import { rowsOf } from "./reply_rows.ts";
import type { Causes, Reply, Surroundings } from "./surroundings.ts";
import type { Column } from "./columns.ts";
import {
  type DifferenceText,
  differenceText,
  errorText,
  NO_DIFFERENCE,
} from "./difference.ts";
import type { createIgnore } from "./ignore.ts";
import { masksOf } from "./output_masks.ts";
import { type Drift, driftOf, isKeyError } from "./drift.ts";
import { RefusedWrites } from "./refused_writes.ts";
import type { DrawnColumn, DrawnColumns } from "./drawn_columns.ts";
import type { KnownColumns } from "./known_columns.ts";
import type { StatementPair } from "./statement_pair.ts";
import { mismatchKind, type StatementTable } from "./statement_table.ts";
import type { Writes } from "./writes.ts";
import type { MismatchKind } from "./mismatch_counts.ts";
import { exampleValues } from "./example_values.ts";
import { Unprepared } from "./unprepared.ts";

/** All that judging needs of a mirror. */
export interface JudgedMirror {
  /** Says that a statement could not be judged. */
  readonly log?: (
    level: "warn",
    message: string,
    properties: Record<string, unknown>,
  ) => void;
  readonly settings: {
    /** Whether examples hold the values that clients sent. */
    readonly examples: "redacted" | "clear";
  };
  /** What is known of its schema. */
  readonly catalog: Catalog;
  /** Whether a rule accepts a mismatch, now: for what tells of now, not for the verdict. */
  readonly ignored: ReturnType<typeof createIgnore>;
  readonly table: StatementTable;
  readonly columns: KnownColumns;
  /** What it has drawn by itself. */
  readonly drawn: DrawnColumns;
  /** Hears of each statement by which it has drawn a column. */
  readonly onDrawn?: (column: DrawnColumn) => void;
  readonly probes: {
    statementCompared(series: number, result: number, seconds: number): void;
  };
}

/**
 * Whether another transaction may have written what `isRead` on one side
 * before, and on the other behind, a statement of the transaction under way.
 * Times in microseconds: on the primary from `startUs` to `endUs`, on the
 * mirror until `mirrorEndUs`.
 */
export type MayDiffer = (
  isRead: (writes: Writes) => boolean,
  startUs: number,
  endUs: number,
  mirrorEndUs: number,
) => boolean;

/**
 * Compares the statements of one session, and counts what comes of it. One for
 * each lane: it knows what the lane's transaction has seen so far.
 */
export class Judge {
  /** Statements of the transaction that failed on the mirror only. */
  errorsOnMirror = 0;
  /** Those of them that no rule accepts. */
  openErrors = 0;
  /** SQLSTATE of the first of these. */
  firstOpenError: string | undefined;
  /** The first of all, which the request is counted with. */
  #firstError: { shape: Shape; kind: MismatchKind } | undefined;
  readonly #target: JudgedMirror;
  readonly #series: number;
  readonly #session: number;
  #transaction: Transaction | undefined;
  #mayDiffer: MayDiffer | undefined;
  #failedBefore = false;
  readonly #writes = new RefusedWrites();
  readonly #unprepared = {
    primary: new Unprepared(),
    mirror: new Unprepared(),
  };
  /** Columns of the pair in which cells have differed, and may. */
  #masked: ReadonlyMap<number, Mask> | undefined;
  /** Shapes that could not be judged, and of which that was said. */
  readonly #reported = new WeakSet<Shape>();
  /** What the network alone takes on each side: the kernel's shortest round trips. */
  #primaryFloorUs = 0;
  #mirrorFloorUs = 0;

  constructor(target: JudgedMirror, series: number, session: number) {
    this.#target = target;
    this.#series = series;
    this.#session = session;
  }

  /** A transaction's replay begins. @param roundTripUs of the mirror's connection, in microseconds. */
  begin(
    transaction: Transaction,
    mayDiffer: MayDiffer,
    roundTripUs: number,
  ): void {
    this.#transaction = transaction;
    this.#primaryFloorUs = transaction.roundTripUs;
    this.#mirrorFloorUs = roundTripUs;
    this.#mayDiffer = mayDiffer;
    this.#failedBefore = false;
    this.#writes.begin();
    this.errorsOnMirror = this.openErrors = 0;
    this.firstOpenError = this.#firstError = undefined;
  }

  /** The transaction is replayed to its end: what it failed at has one more request. */
  count(): void {
    this.#writes.end(() => this.#drift);
    const error = this.#firstError;
    if (error === undefined) return;
    this.#target.table.countRequest(error.shape, error.kind);
  }

  /** The transaction is over: it is not kept for the next one. */
  end(): void {
    this.#transaction = this.#mayDiffer = undefined;
  }

  /** Judges one statement. @returns what came of it, a Result. */
  pair(pair: StatementPair, nowUs: number): number {
    const { probes, table, settings, columns } = this.#target;
    this.#masked = undefined;
    let result = this.#guarded(pair, nowUs);
    this.#noteFailures(pair);
    // A mirror that was to take no rows says nothing of those that it has.
    const saysNothing = pair.shape.isControl || pair.taken?.length === 0;
    if (
      result === Result.match && saysNothing &&
      pair.primary !== undefined && !isError(pair.primary)
    ) result = Result.matchControl;
    if (result === Result.mismatchErrorOnMirror) this.#countError(pair);
    // Whatever an error on one side is called, its transaction has failed there.
    if ((codeOf(pair.primary) ?? 0) !== (codeOf(pair.mirror) ?? 0)) {
      this.#failedBefore = true;
    }
    this.#noteWrites(pair, result);
    probes.statementCompared(this.#series, result, pair.primaryUs / 1e6);
    table.add({
      shape: pair.shape,
      result,
      primary: pair.primary,
      mirror: pair.mirror,
      causes: () => this.#causes(pair),
      primaryUs: above(pair.primaryUs, this.#primaryFloorUs, pair.queuedUs),
      mirrorUs: above(pair.mirrorUs, this.#mirrorFloorUs, pair.mirrorQueuedUs),
      session: this.#session,
      masked: this.#masked === undefined
        ? []
        : maskedNames(this.#masked, columns.of(pair.shape, pair.primary)),
      drifted: () => this.#drifted(pair, result),
      difference: () => this.#difference(pair, nowUs),
      values: () =>
        settings.examples === "clear" && this.#transaction !== undefined
          ? exampleValues(this.#transaction.bytes)
          : null,
    });
    return result;
  }

  #guarded(pair: StatementPair, nowUs: number): number {
    const { shape, primary } = pair;
    const result = this.#safely(shape, () => {
      if (primary !== undefined) {
        this.#target.columns.note(shape, primary, pair.described);
      }
      this.#noteDraws(pair, nowUs);
      return this.#result(pair, nowUs);
    });
    if (result === undefined) this.#masked = undefined;
    return result ?? Result.skippedUnparsed;
  }

  /** No statement may end the session that it is of. @returns undefined after a fault of ours. */
  #safely<T>(shape: Shape, look: () => T): T | undefined {
    try {
      return look();
    } catch (error) {
      const isKnown = this.#reported.has(shape);
      this.#reported.add(shape);
      if (!isKnown) {
        this.#target.log?.(
          "warn",
          "A statement could not be judged",
          { fingerprint: shape.fingerprint, error: String(error) },
        );
      }
      return undefined;
    }
  }

  /** The mirror has run a statement: what it has drawn by that is read later. */
  #noteDraws(pair: StatementPair, nowUs: number): void {
    const { mirror } = pair;
    if (mirror === undefined) return;
    const isRefused = isError(mirror);
    if (isRefused && !isKeyError(codeOf(mirror) ?? 0)) return;
    const { drawn, onDrawn } = this.#target;
    if (!isRefused) this.#drift.note(pair.shape);
    const isEmpty = this.#hasUpdatedNothing(pair);
    for (const one of this.#ownDraws(pair)) {
      if (isEmpty(one)) continue;
      onDrawn?.(one);
      // No row has it.
      if (isRefused) continue;
      drawn.add({ ...one, lagUs: one.lagUs + this.#lagUs(pair, nowUs) });
    }
  }

  /** Tells the columns that a statement sets, where it has updated no row: none has got a value. */
  #hasUpdatedNothing(
    { shape: { updating }, mirror }: StatementPair,
  ): (column: DrawnColumn) => boolean {
    const isEmpty = mirror !== undefined && rowsIn(mirror) === 0 &&
      tagOf(mirror) === "UPDATE";
    if (!isEmpty || updating === undefined) return NONE;
    const oids = this.#target.catalog.oids(updating.relation);
    return ({ oid, column }) =>
      oids.includes(oid) &&
      updating.sets.some((set) => set.column === column);
  }

  /** The columns for which the mirror makes the values of a statement. */
  #ownDraws(
    { shape, isGiven, isUpdateGiven = () => false }: StatementPair,
  ): readonly DrawnColumn[] {
    const { catalog, drawn } = this.#target;
    const { all, inserts, updates } = masksOf(catalog, drawn).draws(shape);
    if (isGiven === undefined) return all;
    const own = inserts.filter(({ oid, column }) => !isGiven(oid, column));
    // The row that is there takes none of the values that the INSERT was given.
    const isNew = (one: DrawnColumn) =>
      !isUpdateGiven(one.oid, one.column) &&
      !own.some(({ oid, column }) => oid === one.oid && column === one.column);
    return [...own, ...updates.filter(isNew)];
  }

  #noteWrites(pair: StatementPair, result: number): void {
    const { shape, primary, mirror } = pair;
    this.#writes.wrote(shape.writes);
    const code = codeOf(mirror) ?? 0;
    if (!isKeyError(code) || code === codeOf(primary)) return;
    this.#writes.refusedBy(this.#drifted(pair, result));
  }

  #countError(pair: StatementPair): void {
    const { shape } = pair;
    const result = Result.mismatchErrorOnMirror;
    const kind = mismatchKind(
      result,
      this.#causes(pair),
      this.#drifted(pair, result),
    );
    this.errorsOnMirror++;
    this.#firstError ??= { shape, kind };
    const { mirrorSqlstate, primarySqlstate } = kind;
    const state = mirrorSqlstate ?? "00000";
    const { ignored } = this.#target;
    if (ignored(shape, result, state, primarySqlstate ?? "00000")) return;
    this.openErrors++;
    this.firstOpenError ??= state;
  }

  #result(pair: StatementPair, nowUs: number): number {
    const { primary, mirror, shape } = pair;
    // One side was skipping to Sync behind an error that is counted already.
    if (primary === undefined || mirror === undefined) {
      return this.#failedBefore
        ? Result.skippedCascade
        : this.#lone(primary, mirror);
    }
    return compare(primary, mirror, {
      mode: this.#transaction?.comparison.mode ?? "off",
      shape,
      failedBefore: this.#failedBefore,
      types: this.#target.catalog.types,
      about: () => this.#about(pair, nowUs),
      onMasked: (columns) => this.#masked = columns,
    });
  }

  /** What fails on one side while the other succeeds, or fails otherwise, is not prepared there, perhaps. */
  #noteFailures({ primary, mirror, shape }: StatementPair): void {
    const theirs = codeOf(primary);
    const ours = codeOf(mirror);
    const isSame = theirs === ours;
    // A Parse that succeeds gives no result.
    if (theirs !== undefined) {
      this.#unprepared.primary.note(shape, isSame ? 0 : theirs);
    }
    if (ours !== undefined) {
      this.#unprepared.mirror.note(shape, isSame ? 0 : ours);
    }
  }

  get #drift(): Drift {
    const { catalog, drawn } = this.#target;
    return driftOf(catalog, drawn);
  }

  /** The drawn columns that may stand behind a difference. */
  #drifted(pair: StatementPair, result: number): readonly string[] {
    return this.#safely(pair.shape, () =>
      this.#drift.behind(
        pair.shape,
        result,
        this.#causes(pair),
        this.#ownDraws(pair),
      )) ?? [];
  }

  #causes({ primary, mirror, shape }: StatementPair): Causes {
    const { primary: theirs, mirror: ours } = this.#unprepared;
    return {
      primary: theirs.cause(shape, codeOf(primary) ?? 0),
      mirror: ours.cause(shape, codeOf(mirror) ?? 0),
    };
  }

  #about(pair: StatementPair, nowUs: number): Surroundings {
    const { shape, primary } = pair;
    const { columns, catalog } = this.#target;
    const masks = masksOf(catalog, this.#target.drawn);
    return {
      columns: () => columns.of(shape, primary),
      keys: () => primary && columns.keys(shape, primary),
      rules: () => ({
        columns: masks.rules(shape, columns.of(shape, primary) ?? []),
        lagUs: this.#lagUs(pair, nowUs),
        separators: literalsOf(shape),
      }),
      counts: () => masks.counts(shape),
      moment: () => {
        const bounds = masks.momentBounds(shape);
        const nowOfDayUs = Date.now() * 1e3;
        return bounds && {
          bounds,
          fromUs: nowOfDayUs - this.#lagUs(pair, nowUs) - CLOCK_MARGIN_US,
          toUs: nowOfDayUs + CLOCK_MARGIN_US,
        };
      },
      pinned: () => masks.isPinned(shape),
      unique: () => masks.isUnique(shape),
      certain: () => pair.taken !== undefined || masks.isCertain(shape),
      sortedOtherwise: () => masks.isSortedOtherwise(shape),
      placesOfRow: () =>
        masks.placesOfRow(shape, columns.of(shape, primary) ?? []),
      skipsNumbers: () => masks.skipsNumbers(shape),
      told: () => pair.taken !== undefined,
      // By which rows it inserts nothing its keys tell.
      concurrentWrite: () =>
        shape.insertion?.onConflict === "nothing"
          ? this.#concurrentKey(pair, nowUs)
          : this.#concurrentWrite(shape, pair, nowUs),
      concurrentKey: () => this.#concurrentKey(pair, nowUs),
      concurrentDefinition: () => {
        const relations = this.#relationsOf(shape);
        return this.#wasBeside(
          (writes) => writes.defines(relations),
          pair,
          nowUs,
        );
      },
      causes: () => this.#causes(pair),
    };
  }

  /** How much later than on the primary the statement was over, with what it and its transaction took on both. */
  #lagUs(pair: StatementPair, nowUs: number): number {
    return nowUs - (this.#transaction?.startUs ?? 0) + pair.mirrorUs;
  }

  /** What differs, in words. */
  #difference(pair: StatementPair, nowUs: number): DifferenceText {
    const { primary, mirror, shape } = pair;
    const { columns, settings } = this.#target;
    const isClear = settings.examples === "clear";
    const sides = [primary, mirror].filter((side) => side !== undefined);
    if (sides.some(isError)) {
      return {
        place: null,
        primary: isClear && primary ? errorText(primary.answer) : null,
        mirror: isClear && mirror ? errorText(mirror.answer) : null,
      };
    }
    if (primary === undefined || mirror === undefined) return NO_DIFFERENCE;
    const { types } = this.#target.catalog;
    if (!haveEqualDescriptions(primary.answer, mirror.answer, types)) {
      return columnDifference(primary.answer, mirror.answer, types);
    }
    if (!sides.every(hasRows)) return NO_DIFFERENCE;
    const about = () => this.#about(pair, nowUs);
    const found = rowsOf(primary, mirror, { about, shape, types });
    return "difference" in found
      ? differenceText(found.difference, columns.of(shape, primary), isClear)
      : NO_DIFFERENCE;
  }

  /** A result on one side only, without an error before it. */
  #lone(primary: Reply | undefined, mirror: Reply | undefined): number {
    if (primary !== undefined && isError(primary)) {
      return Result.mismatchErrorOnPrimary;
    }
    return mirror !== undefined && isError(mirror)
      ? Result.mismatchErrorOnMirror
      : Result.mismatchRowCount;
  }

  #concurrentWrite(shape: Shape, pair: StatementPair, nowUs: number): boolean {
    const { catalog } = this.#target;
    const reads = catalog.writersOf(shape);
    const rows = shape.calls.every(catalog.isForeign) ? this.#rowsOf(pair) : [];
    const isRead = (writes: Writes) =>
      reads.some((relation) => {
        const areKnown = rows.length > 0 && rows.every((one) =>
          relation === one.relation &&
          catalog.keepsRows(relation, one.values.map(({ column }) => column))
        );
        return (areKnown ? rows : ANY_ROWS).some((own) =>
          writes.touches(
            relation,
            own,
            (column) => catalog.columnType(relation, column),
          )
        );
      });
    return this.#wasBeside(isRead, pair, nowUs);
  }

  /** The relations whose definitions a statement depends on. */
  #relationsOf(shape: Shape): readonly string[] | "all" {
    const { catalog } = this.#target;
    const { kind, isParsed, definition, reads, writes, calls } = shape;
    const own = kind === "ddl" ? definition?.relations : [];
    const names = reads.length + writes.length;
    const isTold = isParsed && calls.every(catalog.isForeign) &&
      (kind !== "other" || names > 0);
    return !isTold || own === undefined || own === "all"
      ? "all"
      : [...catalog.writersOf(shape), ...writes, ...own];
  }

  /** By what the mirror holds to be unique: without that nothing is excused. */
  #concurrentKey(
    { shape, rows, ...pair }: StatementPair,
    nowUs: number,
  ): boolean {
    const { catalog } = this.#target;
    const relation = relationOf(shape, rows);
    if (relation === undefined) return false;
    const keys = catalog.oids(relation).flatMap((oid) =>
      catalog.uniquesOf(oid)
    );
    const given = keys.flatMap((columns) => {
      const values = (rows?.values ?? []).filter(({ column }) =>
        columns.includes(column)
      );
      // Of several rows, and of expressions, it may be any.
      const mayBeAny = rows === undefined || columns.length === 0;
      return values.length > 0 || mayBeAny ? [{ relation, values }] : [];
    });
    const isRead = (writes: Writes) =>
      given.some((key) =>
        writes.touches(
          relation,
          key,
          (column) => catalog.columnType(relation, column),
        )
      );
    return this.#wasBeside(isRead, pair, nowUs);
  }

  #wasBeside(
    isRead: (writes: Writes) => boolean,
    { cycleStartUs, cycleEndUs }: Pick<
      StatementPair,
      "cycleStartUs" | "cycleEndUs"
    >,
    nowUs: number,
  ): boolean {
    const startUs = this.#transaction?.startUs ?? 0;
    return this.#mayDiffer?.(
      isRead,
      startUs + cycleStartUs,
      startUs + cycleEndUs,
      nowUs,
    ) ?? false;
  }

  /** The rows that a statement touches of its only relation; none: they are not known. */
  #rowsOf({ rows, taken, shape }: StatementPair): readonly TouchedRows[] {
    const { rowLocking } = shape;
    if (taken === undefined || rowLocking === undefined) {
      return rows === undefined ? [] : [rows];
    }
    const { catalog, drawn } = this.#target;
    // By a number of the mirror's own it is another row, perhaps.
    const isDrawn = taken.some(({ values }) =>
      catalog.oids(rowLocking.relation).some((oid) =>
        values.some(({ column }) => drawn.get(oid, column))
      )
    );
    return rowLocking.isAlone && !isDrawn ? taken : [];
  }
}

/** The relation whose keys a statement gives to one row, or several; undefined: it gives none. */
function relationOf(
  { writes, insertion }: Shape,
  rows: TouchedRows | undefined,
): string | undefined {
  const [only, ...others] = writes;
  // Of one row whose values are not told nothing is excused.
  const hasSeveral = insertion !== undefined && others.length === 0 &&
    (insertion.rows !== 1 || insertion.onConflict === "nothing");
  const relation = rows?.relation ?? (hasSeveral ? only : undefined);
  return relation !== undefined && writes.includes(relation)
    ? relation
    : undefined;
}

const ANY_ROWS = [undefined];
const NONE = () => false;

const NO_LITERALS: readonly string[] = [];
/** By a shape's list: what is known of theirs is found once. */
const literals = new WeakMap<
  NonNullable<Shape["separators"]>,
  readonly string[]
>();

/** What stands between elements of its lists, the longest first; empty: not all is known. */
function literalsOf({ separators }: Shape): readonly string[] {
  if (separators === undefined) return NO_LITERALS;
  let found = literals.get(separators);
  if (found === undefined) {
    const texts = separators.filter((one) => typeof one === "string");
    found = texts.length < separators.length
      ? NO_LITERALS
      : texts.toSorted((a, b) => b.length - a.length);
    literals.set(separators, found);
  }
  return found;
}

/** A time without what is in it of a round trip: a pipeline has one, and all but its first statement wait meanwhile. */
function above(us: number, floorUs: number, queuedUs: number): number {
  return Math.max(0, us - Math.max(0, floorUs - queuedUs));
}

function codeOf(reply: Reply | undefined): number | undefined {
  return reply?.words[reply.at + STATEMENT_SQLSTATE];
}

function tagOf({ words, at }: Reply): string | null {
  return tagText(words[at + STATEMENT_TAG] as number);
}

function rowsIn({ words, at }: Reply): number {
  return words[at + STATEMENT_ROWS] as number;
}

function hasRows(reply: Reply): boolean {
  return ((reply.words[reply.at + STATEMENT_KIND] as number) & FLAG_ROWS) !== 0;
}

function isError(reply: Reply): boolean {
  return ((reply.words[reply.at + STATEMENT_KIND] as number) & KIND_MASK) ===
    KIND_ERROR;
}

/** As people read them: `created_at (time)`. */
function maskedNames(
  masked: ReadonlyMap<number, Mask>,
  columns: readonly Column[] | undefined,
): readonly string[] {
  return [...masked].map(([i, mask]) =>
    `${columns?.[i]?.name ?? `column ${i + 1}`} (${mask})`
  );
}
