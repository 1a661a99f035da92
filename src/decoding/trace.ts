import type { Catalog, KeyWrite } from "../catalog/mod.ts";
import {
  CYCLE_STATEMENTS,
  CYCLE_WORDS,
  cycleCount,
  isWritingTag,
  KIND_COMPLETE,
  KIND_DESCRIBED,
  KIND_EMPTY,
  KIND_ERROR,
  KIND_MASK,
  KIND_SUSPENDED,
  STATEMENT_ANSWER,
  STATEMENT_KIND,
  STATEMENT_ROWS,
  STATEMENT_TAG,
  STATEMENT_WORDS,
  tagText,
  type Transaction,
} from "../record/mod.ts";
import {
  type ColumnValue,
  type TouchedRows,
  valueOf,
} from "../sql/pinned_values.ts";
import { OTHER_SHAPE, type Shape } from "../sql/shape.ts";
import { SAVEPOINT_NAME } from "../sql/mod.ts";
import { Savepoints } from "./savepoints.ts";
import { type ToldValues, toldValues } from "./told_values.ts";

/** What one statement wrote to the one relation that it names. */
export interface WrittenRows {
  /** The statement: the result of a cycle, both from 0. */
  readonly cycle: number;
  readonly result: number;
  readonly shape: Shape;
  /** The relation's OID on the mirror. */
  readonly oid: string;
  readonly kinds: "insert" | "upsert" | "update" | "delete" | "any";
  readonly count: number;
  /** It may have written more: a portal has given only some of what RETURNING tells. */
  readonly isOpen: boolean;
  /** Values that all of its rows have, as far as its text and parameters tell, … */
  readonly pinned: TouchedRows["values"] | undefined;
  /** … those that it gave them, … */
  readonly written: readonly ColumnValue[] | undefined;
  /** … and those that RETURNING told, row by row. */
  readonly told: readonly ToldValues[] | undefined;
}

/** What the primary's log must have of a transaction that committed. */
export interface Trace {
  /** In the order of execution. */
  readonly writes: readonly WrittenRows[];
  /** Statements that were rolled back: they failed, or a savepoint before them was gone back to; by {@linkcode statementKey}. */
  readonly undone: ReadonlySet<string>;
  /** What its statements do to the relations, without schemas, that they name as written. */
  readonly named: ReadonlyMap<string, KeyWrite>;
  /** It began then, and its commit lies between the other two. */
  readonly startUs: number;
  readonly earliestUs: number;
  readonly endUs: number;
}

/** What a trace is read from. */
export interface TraceSource {
  readonly transaction: Transaction;
  /** For each cycle the shapes of its results, and the rows that they touch. */
  readonly shapes: readonly (readonly Shape[])[];
  readonly rows: readonly (readonly (TouchedRows | undefined)[])[];
  /** What they write. */
  readonly written:
    readonly (readonly (readonly ColumnValue[] | undefined)[])[];
  /** Not before this was its commit sent. */
  readonly earliestUs: number;
}

const KINDS: Readonly<Record<string, WrittenRows["kinds"]>> = {
  INSERT: "insert",
  COPY: "insert",
  UPDATE: "update",
  DELETE: "delete",
  MERGE: "any",
};

/**
 * What a transaction that committed must have left in the log.
 *
 * @returns undefined if it left nothing, or more or less than its statements
 * tell: it changed definitions, called functions that may write, or wrote views.
 */
export function traceOf(
  { transaction, shapes, rows, written, earliestUs }: TraceSource,
  catalog: Catalog,
): Trace | undefined {
  const { cycles, statements, answers, startUs, endUs } = transaction;
  const writes: WrittenRows[] = [];
  const named = new Map<string, KeyWrite>();
  const savepoints = new Savepoints();
  const undone = new Set<string>();
  let at = 0;
  let answerAt = 0;
  for (let cycle = 0; cycle < cycleCount(transaction); cycle++) {
    const count = cycles[cycle * CYCLE_WORDS + CYCLE_STATEMENTS] as number;
    for (let result = 0; result < count; result++, at += STATEMENT_WORDS) {
      const word = (offset: number) => statements[at + offset] as number;
      const shape = shapes[cycle]?.[result] ?? OTHER_SHAPE;
      const kind = word(STATEMENT_KIND) & KIND_MASK;
      const from = answerAt;
      answerAt += word(STATEMENT_ANSWER);
      if (kind === KIND_DESCRIBED || kind === KIND_EMPTY) continue;
      if (kind === KIND_ERROR) {
        undone.add(statementKey(cycle, result));
        continue;
      }
      if (!isPlain(shape, catalog)) return undefined;
      const savepoint = valueOf(
        written[cycle]?.[result] ?? [],
        SAVEPOINT_NAME,
      )?.text;
      const kept = savepoints.kept(shape, savepoint, writes.length);
      if (kept === undefined) return undefined;
      for (const write of writes.splice(kept)) {
        undone.add(statementKey(write.cycle, write.result));
      }
      if (shape.kind === "read" || shape.isControl) continue;
      // EXPLAIN ANALYZE, CALL, DO.
      if (shape.kind === "other") {
        if (shape.writes.length > 0 || isWritingTag(word(STATEMENT_TAG))) {
          return undefined;
        }
        continue;
      }
      const oid = relationOf(shape, catalog);
      const isPart = kind === KIND_SUSPENDED;
      const { insertion } = shape;
      const told = isPart
        ? kindsOf(shape)
        : KINDS[tagText(word(STATEMENT_TAG)) ?? ""];
      const kinds = insertion?.onConflict === "update" ? "upsert" : told;
      const isDone = isPart || kind === KIND_COMPLETE;
      if (!isDone || oid === undefined || kinds === undefined) {
        return undefined;
      }
      if (catalog.isUnlogged(oid)) continue;
      for (const name of shape.writes) {
        named.set(name, bothWrites(named.get(name), keyWrite(kinds, shape)));
      }
      // All rows of VALUES are inserted, or none.
      const known = isPart && insertion?.onConflict === undefined
        ? insertion?.rows
        : undefined;
      const rowCount = known ?? word(STATEMENT_ROWS);
      if (rowCount === 0) continue;
      const isOpen = isPart && insertion?.rows !== rowCount;
      const reply = {
        words: statements,
        at,
        answer: answers.subarray(from, answerAt),
      };
      writes.push({
        cycle,
        result,
        shape,
        oid,
        kinds,
        count: rowCount,
        isOpen,
        pinned: rows[cycle]?.[result]?.values,
        written: written[cycle]?.[result],
        told: toldValues(shape, reply),
      });
    }
  }
  if (writes.length === 0) return undefined;
  return { writes, undone, named, startUs, earliestUs, endUs };
}

/** What a statement without a tag has done. */
function kindsOf({ insertion, updating }: Shape): WrittenRows["kinds"] {
  if (insertion !== undefined) return "insert";
  return updating === undefined ? "any" : "update";
}

function keyWrite(kinds: WrittenRows["kinds"], { pinned }: Shape): KeyWrite {
  return {
    deletes: kinds === "delete" || kinds === "any",
    sets: kinds === "insert" || kinds === "delete" ? [] : pinned?.set,
  };
}

function bothWrites(one: KeyWrite | undefined, other: KeyWrite): KeyWrite {
  if (one === undefined) return other;
  return {
    deletes: one.deletes || other.deletes,
    sets: one.sets && other.sets && [...one.sets, ...other.sets],
  };
}

/** A statement of a transaction. */
export function statementKey(cycle: number, result: number): string {
  return `${cycle} ${result}`;
}

/** Whether its text tells all that it writes. */
function isPlain(shape: Shape, catalog: Catalog): boolean {
  if (!shape.isParsed && !shape.isControl) return false;
  return shape.kind !== "ddl" && shape.calls.every(catalog.isForeign);
}

const WRITES = /\b(?:insert|update|delete|merge)\b/gi;

/** The only relation that a statement writes; undefined: there are several, or a view. */
function relationOf(
  { writes, text, insertion }: Shape,
  catalog: Catalog,
): string | undefined {
  // A query in front may write, too.
  if (/^\s*with\b/i.test(text) && (text.match(WRITES) ?? []).length > 1) {
    return undefined;
  }
  const [name, more] = writes;
  if (name === undefined || more !== undefined) return undefined;
  const [oid, other] = catalog.oids(insertion?.relation ?? name);
  if (oid === undefined || other !== undefined) return undefined;
  return catalog.viewText(oid) === undefined ? oid : undefined;
}
