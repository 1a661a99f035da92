import type { ShapeCache } from "../sql/shape_cache.ts";
import {
  type Link,
  OTHER_SHAPE,
  type Shape,
  type Statements,
} from "../sql/shape.ts";
import {
  type IsolationLevel,
  joins,
  type LockingRead,
  SAVEPOINT_NAME,
  savepointName,
  separatorsOf,
  withSeparators,
} from "../sql/mod.ts";
import { readBind } from "../given/mod.ts";
import { boundTexts } from "./bound_texts.ts";
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
  literalValues,
  type PinnedValue,
  type TouchedRows,
  type WrittenValues,
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
  readonly written: readonly (WrittenValues | undefined)[];
  /** What it described in front of each result that is of another statement, too. */
  readonly described: DescribedStatements;
  /** By the number of a result that tells which rows were locked: formats of its columns, as Bind has them. */
  readonly formats: ReadonlyMap<number, readonly number[]>;
}

/** Hears of the text of a locking read, `bytes[from, to)`. */
export type OnLockingRead = (
  read: LockingRead,
  bytes: Uint8Array,
  from: number,
  to: number,
) => void;

/** A prepared statement, and the values that stand in its text. */
interface Prepared {
  readonly shape: Shape;
  readonly literals: ReadonlyMap<string, PinnedValue> | undefined;
}

interface Portal extends Values {
  readonly shape: Shape;
  /** Of its columns, if its answer tells which rows were locked. */
  readonly formats?: readonly number[] | undefined;
}

/** The values that one execution of a statement has. */
interface Values {
  readonly rows: TouchedRows | undefined;
  readonly written: WrittenValues | undefined;
}

const NO_VALUES: Values = { rows: undefined, written: undefined };
const UNKNOWN: Prepared & Portal = {
  shape: OTHER_SHAPE,
  literals: undefined,
  ...NO_VALUES,
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
  readonly #firstIsolation: IsolationLevel;
  #isolation: IsolationLevel;
  readonly #onLockingRead: OnLockingRead;

  /**
   * @param from whose statements it knows already.
   * @param isolation what the session began with. A default of the role or the
   * database is seen by nobody.
   * @param onLockingRead hears of texts whose answers tell which rows they lock.
   */
  constructor(
    shapes: ShapeCache,
    from?: SessionStatements,
    isolation: IsolationLevel = "read committed",
    onLockingRead: OnLockingRead = () => {},
  ) {
    this.#onLockingRead = onLockingRead;
    this.#shapes = shapes;
    this.#firstIsolation = isolation;
    this.#isolation = from?.isolation ?? isolation;
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
    let written: (WrittenValues | undefined)[] | undefined;
    let described = OTHER_SHAPE;
    let before: Map<number, readonly Shape[]> | undefined;
    let open: Shape[] = [];
    let formats: Map<number, readonly number[]> | undefined;
    /** The next result's. */
    const note = (values: Values | undefined) => {
      if (values?.rows) (rows ??= [])[results.length] = values.rows;
      if (values?.written) (written ??= [])[results.length] = values.written;
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
          if (statements.links === undefined) {
            note(valuesInText(shapes[0], bytes, body, at - 1));
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
          set(this.#statements, name(bytes, body), {
            shape: described,
            literals: statements.links === undefined
              ? textValues(described, bytes, text, end)
              : undefined,
          });
          break;
        }
        case BIND: {
          const names = behind(bytes, body);
          const { shape, literals } =
            this.#statements.get(name(bytes, names)) ?? UNKNOWN;
          described = bound(shape, bytes, body, at);
          set(this.#portals, name(bytes, body), {
            shape: described,
            ...boundValues(shape, literals, bytes, behind(bytes, names), at),
            formats: shape.lockingRead &&
              readBind(bytes, body, at)?.resultFormats,
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
          const portal = this.#portals.get(name(bytes, body)) ?? UNKNOWN;
          const { shape, formats: own } = portal;
          if (own !== undefined) {
            (formats ??= new Map()).set(results.length, own);
          }
          note(portal);
          give([hasRowLimit(bytes, at) ? inParts(shape) : shape]);
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
    if (results.length === 0 || open.length > 0) give([described]);
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
    const { shapes, links } = statements;
    const [{ lockingRead } = OTHER_SHAPE, ...others] = shapes;
    if (lockingRead !== undefined && others.length === 0) {
      this.#onLockingRead(lockingRead, bytes, from, to);
    }
    const all = [...shapes, ...(links ?? []).map((link) => link?.defines)];
    if (!all.some((shape) => shape !== undefined && joins(shape))) {
      return statements;
    }
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
    if (links === undefined) return shapes;
    return shapes.map((shape, i) => this.#named(shape, links[i]));
  }

  #named(shape: Shape, link: Link | undefined): Shape {
    if (link === undefined) return shape;
    const { kind, name, defines } = link;
    if (defines !== undefined) {
      const known = { ...UNKNOWN, shape: defines };
      if (kind === "prepared") set(this.#statements, name, known);
      else set(this.#portals, name, known);
      return shape;
    }
    const { shape: named } =
      (kind === "prepared" ? this.#statements : this.#portals).get(name) ??
        UNKNOWN;
    return kind === "prepared" ? named : inParts(named);
  }
}

function set<T>(map: Map<string, T>, key: string, value: T): void {
  if (map.size < MAX_NAMES || map.has(key)) map.set(key, value);
}

/** The values of a statement that all stand in its text. */
function valuesInText(
  shape: Shape | undefined,
  bytes: Uint8Array,
  from: number,
  to: number,
): Values | undefined {
  const values = shape && textValues(shape, bytes, from, to);
  return values && valuesOf(shape.pinned?.relation ?? "", values);
}

/** The values that stand in a text, the name of a savepoint among them. */
function textValues(
  { pinned, kind }: Shape,
  bytes: Uint8Array,
  from: number,
  to: number,
): Map<string, PinnedValue> | undefined {
  if (pinned !== undefined) return literalValues(pinned, bytes, from, to);
  const name = kind === "transaction"
    ? savepointName(bytes, from, to)
    : undefined;
  return name === undefined
    ? undefined
    : new Map([[SAVEPOINT_NAME, { isBinary: false, text: name }]]);
}

/** @param at where a Bind message goes on behind its names. */
function boundValues(
  { pinned }: Shape,
  literals: ReadonlyMap<string, PinnedValue> | undefined,
  bytes: Uint8Array,
  at: number,
  to: number,
): Values {
  if (literals === undefined) return NO_VALUES;
  if (pinned === undefined) return valuesOf("", literals);
  const values = new Map(literals);
  addParameters(values, pinned, bytes, at, to);
  return valuesOf(pinned.relation, values);
}

function valuesOf(
  relation: string,
  all: ReadonlyMap<string, PinnedValue>,
): Values {
  const values = new Map<string, PinnedValue>();
  const written = new Map<string, PinnedValue>();
  for (const [key, value] of all) {
    (key.startsWith("\0") ? written : values).set(key, value);
  }
  return {
    rows: values.size === 0 ? undefined : { relation, values },
    written: written.size === 0 ? undefined : written,
  };
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

const parts = new WeakMap<Shape, Shape>();

/** A query whose rows are fetched in parts: each part is a choice, as by a LIMIT. */
function inParts(shape: Shape): Shape {
  if (shape.limited && shape.limit === undefined) return shape;
  let part = parts.get(shape);
  if (part === undefined) {
    const base = shape.base ?? shape;
    part = { ...shape, limited: true, limit: undefined, base };
    parts.set(shape, part);
  }
  return part;
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
