import type { ShapeCache } from "../sql/shape_cache.ts";
import {
  type Link,
  OTHER_SHAPE,
  type Shape,
  type Statements,
} from "../sql/shape.ts";
import {
  dangerOfKind,
  formOf,
  type IsolationLevel,
  joins,
  type RowLocking,
  SAVEPOINT_NAME,
  savepointName,
  separatorsOf,
  withSeparators,
} from "../sql/mod.ts";
import { copiedValues, MAX_COPY_TEXT, readBind } from "../given/mod.ts";
import { boundTexts } from "./bound_texts.ts";
import { TemporaryTables } from "./temporary_tables.ts";
import { executes, joined, notRun, withCode } from "./unsafe_forms.ts";
import {
  BIND,
  CLOSE,
  DESCRIBE,
  EXECUTE,
  Framer,
  FUNCTION_CALL,
  PARSE,
  QUERY,
} from "../wire/mod.ts";

import {
  addParameters,
  type ColumnValue,
  literalValues,
  type TouchedRows,
} from "../sql/pinned_values.ts";

const decoder = new TextDecoder();
const STATEMENT = 0x53; // S, in Close and Describe
const MAX_NAMES = 10_000;
const framer = new Framer();

/** By the number of a result in its cycle: the statements whose descriptions came in front of it. */
export type DescribedStatements = ReadonlyMap<number, readonly Shape[]>;

/** What the client asked for in one cycle. */
export interface Asked {
  /** The shape of each result that the server will give, in order. */
  readonly shapes: readonly Shape[];
  /** Of each the rows that it touches, as far as its text and values tell; too short where none does. */
  readonly rows: readonly (TouchedRows | undefined)[];
  /** Of each what it writes, by the keys of `writtenValue`; too short as well. */
  readonly written: readonly (Written | undefined)[];
  /** What it described in front of each result that is of another statement, too. */
  readonly described: DescribedStatements;
  /** By the number of a result that tells which rows were locked: formats of its columns, as Bind has them. */
  readonly formats: ReadonlyMap<number, readonly number[]>;
}

/** Hears of the text of a locking read, `bytes[from, to)`. */
export type OnRowLocking = (
  read: RowLocking,
  bytes: Uint8Array,
  from: number,
  to: number,
) => void;

/** What one execution of a statement writes, by the keys of `writtenValue`. */
type Written = readonly ColumnValue[];

/** The values that stand in a text. */
interface Literals {
  readonly values: readonly ColumnValue[];
  readonly written: Written;
}

/** A prepared statement, and the values that stand in its text; undefined: they are not known. */
interface Prepared {
  readonly shape: Shape;
  readonly literals: Literals | undefined;
  /** A COPY's text. */
  readonly copy?: Uint8Array | undefined;
}

interface Portal extends Values {
  readonly shape: Shape;
  /** Of its columns, if its answer tells which rows were locked. */
  readonly formats?: readonly number[] | undefined;
  readonly copy?: Uint8Array | undefined;
  /** Some of its rows may have been fetched. */
  readonly isBegun?: boolean;
}

/** The values that one execution of a statement has. */
interface Values {
  readonly rows: TouchedRows | undefined;
  readonly written: Written | undefined;
}

const NO_COLUMNS: readonly ColumnValue[] = [];
const NO_LITERALS: Literals = { values: NO_COLUMNS, written: NO_COLUMNS };
const NO_VALUES: Values = { rows: undefined, written: undefined };
const UNKNOWN: Prepared & Portal = {
  shape: OTHER_SHAPE,
  literals: undefined,
  ...NO_VALUES,
};
/** One whose name had no room: nobody knows what it does. */
const UNHEARD: Prepared & Portal = {
  ...UNKNOWN,
  shape: { ...OTHER_SHAPE, danger: dangerOfKind("unknown_statement") },
};
const NO_ROWS: Asked["rows"] = [];
const NOTHING_WRITTEN: Asked["written"] = [];
const NONE: DescribedStatements = new Map();
const NO_FORMATS: Asked["formats"] = new Map();

/**
 * Knows which statement each Execute of a session runs, by following its Parse
 * and Bind messages, PREPARE and DECLARE. Names of both kinds share a space
 * (manual, "Message Flow": Extended Query).
 */
export class SessionStatements {
  readonly #shapes: ShapeCache;
  readonly #statements: Map<string, Prepared>;
  readonly #portals: Map<string, Portal>;
  /** The session's temporary tables. */
  readonly temporary: TemporaryTables;
  readonly #firstIsolation: IsolationLevel;
  #isolation: IsolationLevel;
  readonly #onRowLocking: OnRowLocking;
  /** Whether `Asked.written` is filled: only the primary's log is compared with it. */
  tellsWritten = true;

  /**
   * @param from whose statements it knows already.
   * @param isolation what the session began with. A default of the role or the
   * database is seen by nobody.
   * @param onRowLocking hears of texts whose answers tell which rows they lock.
   */
  constructor(
    shapes: ShapeCache,
    from?: SessionStatements,
    isolation: IsolationLevel = "read committed",
    onRowLocking: OnRowLocking = () => {},
  ) {
    this.#onRowLocking = onRowLocking;
    this.#shapes = shapes;
    this.#firstIsolation = isolation;
    this.#isolation = from?.isolation ?? isolation;
    this.temporary = new TemporaryTables(from?.temporary);
    this.#statements = new Map(from && from.#statements);
    this.#portals = new Map(from && from.#portals);
  }

  /** What a transaction that begins now has without a word on it. */
  get isolation(): IsolationLevel {
    return this.#isolation;
  }

  /** A statement of this shape has run. */
  noteIsolation({ isolation }: Shape): void {
    if (isolation?.of !== "session") return;
    this.#isolation = isolation.level ?? this.#firstIsolation;
  }

  /** Follows the client messages of one cycle, `bytes[from, to)`. */
  cycle(bytes: Uint8Array, from: number, to: number): Asked {
    framer.reset();
    const results: Shape[] = [];
    let rows: (TouchedRows | undefined)[] | undefined;
    let written: (Written | undefined)[] | undefined;
    let described = OTHER_SHAPE;
    let before: Map<number, readonly Shape[]> | undefined;
    let open: Shape[] = [];
    let formats: Map<number, readonly number[]> | undefined;
    /** The next result's. */
    const note = (values: Values | undefined) => {
      if (values?.rows) rows = put(rows, results.length, values.rows);
      if (values?.written) {
        written = put(written, results.length, values.written);
      }
    };
    /** A result comes, of the statements that were described and of this one. */
    const give = (shapes: readonly Shape[]) => {
      if (open.some((shape) => !isSame(shape, shapes[0]))) {
        before ??= new Map();
        before.set(results.length, open);
      }
      open = [];
      // There may be more than a call takes arguments.
      for (const shape of shapes) results.push(shape);
    };
    for (let at = from; at < to;) {
      at = framer.step(bytes, at, to);
      if (!framer.finished) break;
      const body = framer.bodyStart;
      switch (framer.type) {
        case QUERY: {
          const statements = this.#told(bytes, body, at - 1);
          const shapes = this.#follow(statements);
          if (isCopy(shapes[0])) {
            note(this.#copied(bytes.subarray(body, at - 1), bytes, at, to));
          } else if (statements.links === undefined) {
            note(this.#valuesInText(shapes[0], bytes, body, at - 1));
          }
          if (results.length === 0 && at === to) {
            return {
              shapes,
              rows: rows ?? NO_ROWS,
              written: written ?? NOTHING_WRITTEN,
              described: NONE,
              formats: NO_FORMATS,
            };
          }
          give(shapes);
          break;
        }
        case PARSE: {
          const text = behind(bytes, body);
          const end = behind(bytes, text) - 1;
          const statements = this.#told(bytes, text, end);
          described = this.#follow(statements)[0] ?? OTHER_SHAPE;
          const own = name(bytes, body);
          set(this.#statements, own, {
            shape: own === "" ? described : this.#orBefore(own, described),
            literals: statements.links === undefined
              ? this.#literals(described, bytes, text, end)
              : undefined,
            copy: isCopy(described) && end - text <= MAX_COPY_TEXT
              ? bytes.slice(text, end)
              : undefined,
          });
          break;
        }
        case BIND: {
          const names = behind(bytes, body);
          const { shape, literals, copy } =
            this.#statements.get(name(bytes, names)) ??
              unknownOf(this.#statements);
          described = bound(shape, bytes, body, at);
          set(this.#portals, name(bytes, body), {
            shape: described,
            ...this.#boundValues(
              shape,
              literals,
              bytes,
              behind(bytes, names),
              at,
            ),
            formats: shape.rowLocking &&
              readBind(bytes, body, at)?.resultFormats,
            copy,
          });
          break;
        }
        case DESCRIBE:
          described =
            ((bytes[body] === STATEMENT ? this.#statements : this.#portals).get(
              name(bytes, body + 1),
            ) ?? UNKNOWN).shape;
          open.push(described);
          break;
        case EXECUTE: {
          const portal = this.#portals.get(name(bytes, body)) ??
            unknownOf(this.#portals);
          const { shape, formats: own, copy } = portal;
          if (own !== undefined) {
            (formats ??= new Map()).set(results.length, own);
          }
          note(
            copy === undefined ? portal : this.#copied(copy, bytes, at, to),
          );
          const isPart = hasRowLimit(bytes, at);
          give([
            portal.isBegun ? inParts(shape) : isPart ? firstPart(shape) : shape,
          ]);
          if (isPart && !portal.isBegun) {
            set(this.#portals, name(bytes, body), { ...portal, isBegun: true });
          }
          break;
        }
        case FUNCTION_CALL:
          give([this.#shapes.ofFunction(oidAt(bytes, body))]);
          break;
        case CLOSE:
          (bytes[body] === STATEMENT ? this.#statements : this.#portals)
            .delete(name(bytes, body + 1));
      }
    }
    // A failed Parse or a lone Describe is a result, too.
    if (results.length === 0 || open.length > 0) give([notRun(described)]);
    return {
      shapes: results,
      rows: rows ?? NO_ROWS,
      written: written ?? NOTHING_WRITTEN,
      described: before ?? NONE,
      formats: formats ?? NO_FORMATS,
    };
  }

  /** The statements of the SQL in `bytes[from, to)`, with those literals that comparing needs. */
  #told(bytes: Uint8Array, from: number, to: number): Statements {
    const statements = this.#shapes.get(bytes, from, to);
    const { shapes, links } = withCode(statements, bytes, from, to);
    const rowLocking = shapes.length === 1 ? shapes[0]?.rowLocking : undefined;
    if (rowLocking !== undefined) {
      this.#onRowLocking(rowLocking, bytes, from, to);
    }
    const isJoining = shapes.some(joins) ||
      links?.some((link) => link?.defines !== undefined && joins(link.defines));
    if (!isJoining) return { shapes, links };
    const separators = separatorsOf(bytes, from, to);
    const told = (shape: Shape) =>
      joins(shape) ? withSeparators(shape, separators) : shape;
    return {
      shapes: shapes.map(told),
      links: links?.map((link) =>
        link?.defines === undefined
          ? link
          : { ...link, defines: told(link.defines) }
      ),
    };
  }

  /** The shapes of a text, with names put in for what they stand for. */
  #follow({ shapes, links }: Statements): readonly Shape[] {
    if (links === undefined && !shapes.some(executes)) return shapes;
    return shapes.map((shape, i) =>
      executes(shape) ? this.#executing(shape) : this.#named(shape, links?.[i])
    );
  }

  /** A name that is taken already the server does not give: both may run by it. */
  #orBefore(name: string, shape: Shape): Shape {
    const before = this.#statements.get(name)?.shape;
    return before?.danger === undefined || before.danger === shape.danger
      ? shape
      : { ...shape, danger: joined(shape, before), base: shape.base ?? shape };
  }

  /** What runs a prepared statement within itself does what that does. */
  #executing(shape: Shape): Shape {
    const name = shape.danger?.executes ?? "";
    const { shape: run } = this.#statements.get(name) ??
      unknownOf(this.#statements);
    return { ...shape, danger: joined(shape, run) };
  }

  #named(shape: Shape, link: Link | undefined): Shape {
    if (link === undefined) return shape;
    const { kind, name, defines } = link;
    if (defines !== undefined) {
      const known = {
        ...UNKNOWN,
        shape: kind === "prepared" ? this.#orBefore(name, defines) : defines,
      };
      if (kind === "prepared") set(this.#statements, name, known);
      else set(this.#portals, name, known);
      return shape;
    }
    const names: ReadonlyMap<string, { readonly shape: Shape }> =
      kind === "prepared" ? this.#statements : this.#portals;
    const { shape: named } = names.get(name) ?? unknownOf(names);
    if (kind === "cursor") return inParts(named);
    // What stands for its parameters runs, too.
    const { danger, calls } = shape;
    return danger === undefined && calls.length === 0
      ? named
      : { ...named, danger: joined(shape, named), base: named.base ?? named };
  }

  /** The values of a statement that all stand in its text. */
  #valuesInText(
    shape: Shape | undefined,
    bytes: Uint8Array,
    from: number,
    to: number,
  ): Values | undefined {
    return shape &&
      valuesOf(shape.pinned, this.#literals(shape, bytes, from, to));
  }

  /** The values that stand in a text, the name of a savepoint among them. */
  #literals(
    { pinned, kind }: Shape,
    bytes: Uint8Array,
    from: number,
    to: number,
  ): Literals {
    if (pinned !== undefined) {
      return {
        values: literalValues(pinned.pins, bytes, from, to),
        written: this.tellsWritten
          ? literalValues(pinned.written, bytes, from, to)
          : NO_COLUMNS,
      };
    }
    const name = this.tellsWritten && kind === "transaction"
      ? savepointName(bytes, from, to)
      : undefined;
    return name === undefined ? NO_LITERALS : {
      values: NO_COLUMNS,
      written: [{ column: SAVEPOINT_NAME, isBinary: false, text: name }],
    };
  }

  /** What the first rows of a COPY have, whose data follow at `from`. */
  #copied(
    text: Uint8Array,
    bytes: Uint8Array,
    from: number,
    to: number,
  ): Values | undefined {
    if (!this.tellsWritten) return undefined;
    const written = copiedValues(text, bytes, from, to);
    return written.length === 0 ? undefined : { rows: undefined, written };
  }

  /** @param at where a Bind message goes on behind its names. */
  #boundValues(
    { pinned }: Shape,
    literals: Literals | undefined,
    bytes: Uint8Array,
    at: number,
    to: number,
  ): Values {
    if (literals === undefined) return NO_VALUES;
    if (pinned === undefined) return valuesOf(pinned, literals);
    const values = [...literals.values];
    addParameters(values, pinned.pins, bytes, at, to);
    if (!this.tellsWritten) return valuesOf(pinned, { ...literals, values });
    const written = [...literals.written];
    addParameters(written, pinned.written, bytes, at, to);
    return valuesOf(pinned, { values, written });
  }
}

/** Names beyond the bound are not heard. */
function unknownOf(names: ReadonlyMap<string, unknown>): Prepared & Portal {
  return names.size < MAX_NAMES ? UNKNOWN : UNHEARD;
}

function isCopy(shape: Shape | undefined): boolean {
  return shape?.insertion?.source === "copy";
}

/** They wait with their transaction: a copy has no room for more. */
function valuesOf(
  pinned: Shape["pinned"],
  { values, written }: Literals,
): Values {
  if (values.length + written.length === 0) return NO_VALUES;
  return {
    rows: pinned === undefined || values.length === 0
      ? undefined
      : { relation: pinned.relation, values: values.slice() },
    written: written.length === 0 ? undefined : written.slice(),
  };
}

function set<T>(map: Map<string, T>, key: string, value: T): void {
  // What has no name always has room.
  if (map.size < MAX_NAMES || key === "" || map.has(key)) map.set(key, value);
}

/** Puts `value` at `at` of what may not be there yet. Arrays that grow by an index have room for 17. */
function put<T>(
  array: (T | undefined)[] | undefined,
  at: number,
  value: T,
): (T | undefined)[] {
  if (array === undefined && at === 0) return [value];
  array ??= [];
  array[at] = value;
  return array;
}

/** A statement with the values of those parameters that comparing needs. @param body, end of a Bind message. */
function bound(
  shape: Shape,
  bytes: Uint8Array,
  body: number,
  end: number,
): Shape {
  const { separators } = shape;
  if (!separators?.some((one) => typeof one === "number")) return shape;
  const values = boundTexts(bytes, body, end);
  return withSeparators(
    shape,
    separators.map((one) =>
      typeof one === "number" ? values[one - 1] || one : one
    ),
  );
}

function isSame(one: Shape, other: Shape | undefined): boolean {
  return (one.base ?? one) === (other?.base ?? other);
}

/** Execute ends with its row limit, an int32; 0: none. */
function hasRowLimit(bytes: Uint8Array, end: number): boolean {
  return bytes[end - 1] !== 0 || bytes[end - 2] !== 0 ||
    bytes[end - 3] !== 0 || bytes[end - 4] !== 0;
}

/**
 * FunctionCall begins with the function's OID, an int32. A message may be too
 * short for it: the server refuses that, and no function has the OID then.
 */
function oidAt(bytes: Uint8Array, at: number): number {
  if (at + 4 > bytes.length) return 0;
  return new DataView(bytes.buffer, bytes.byteOffset + at, 4).getUint32(0);
}

const firstParts = new WeakMap<Shape, Shape>();
const parts = new WeakMap<Shape, Shape>();

/** The first rows of a query that are fetched: a choice, as by a LIMIT. */
function firstPart(shape: Shape): Shape {
  // Rows of VALUES come in their order.
  if (shape.insertion?.rows !== undefined) return shape;
  if (shape.limited && shape.limit === undefined) return shape;
  return formOf(shape, firstParts, { limited: true, limit: undefined });
}

/** A query whose rows are fetched in parts: what one lacks was in another, perhaps. */
function inParts(shape: Shape): Shape {
  const first = firstPart(shape);
  return first.momentBounds === undefined
    ? first
    : formOf(first, parts, { momentBounds: undefined });
}

/** The position behind the zero byte of the string at `from`. */
function behind(bytes: Uint8Array, from: number): number {
  const end = bytes.indexOf(0, from);
  return end < 0 ? bytes.length : end + 1;
}

function name(bytes: Uint8Array, from: number): string {
  if (bytes[from] === 0) return "";
  return decoder.decode(bytes.slice(from, behind(bytes, from) - 1));
}
