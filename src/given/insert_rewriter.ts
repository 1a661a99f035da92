import type { Catalog } from "../catalog/mod.ts";
import { describedNames, type KnownColumns, type Reply } from "../judge/mod.ts";
import type { Shape } from "../sql/shape.ts";
import type { ShapeCache } from "../sql/shape_cache.ts";
import { BIND, CLOSE, concat, messageOf, PARSE, QUERY } from "../wire/mod.ts";
import {
  type AddedParameter,
  type Bind,
  isBinaryOutput,
  MAX_PARAMETERS,
  readBind,
  withParameters,
} from "./bind.ts";
import {
  type ClientMessage,
  CLOSES_STATEMENT,
  messagesOf,
  nameAt,
} from "./client_messages.ts";
import type { GivenColumn, GivenColumns } from "./given_columns.ts";
import { givenText, literalOf, type WriteValue } from "./given_text.ts";
import type { Giving } from "./giving.ts";
import { binaryArray, textArray } from "./key_arrays.ts";
import { insertPlaces } from "./insert_places.ts";
import type { Moment } from "./own_defaults.ts";
import type { PreparedInsert } from "./prepared_inserts.ts";
import { followNames, PreparedStatements } from "./prepared_statements.ts";
import { highestParameter, isReadable } from "./texts.ts";
import { type ToldRow, toldRows } from "./told_rows.ts";

const decoder = new TextDecoder();

/** What a mirror's lanes share. */
export interface RewriterOptions {
  readonly giving: Giving;
  readonly shapes: ShapeCache;
  readonly columns: KnownColumns;
  readonly catalog: () => Catalog;
  /** Microseconds of the monotonic clock. */
  readonly nowUs: () => number;
  /** Whether no other client is connected, or has left anything to replay. */
  readonly isAlone: () => boolean;
}

/** The results of a cycle that were given values, by their number. */
export type GivenResults = ReadonlyMap<number, GivenColumns>;

/** A cycle as the mirror gets it. */
export interface Rewritten {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly given: GivenResults;
}

const NONE: GivenResults = new Map();

/**
 * Writes the INSERTs that go over one connection so that the mirror inserts
 * what the primary generated. What it has prepared is followed: a Bind gets
 * more values if its statement's text was written with more parameters.
 */
export class InsertRewriter {
  readonly #options: RewriterOptions;
  readonly #prepared = new PreparedStatements<PreparedInsert>();
  #made: Moment = { startUs: 0, endUs: 0 };
  /** The session has another role than the one whose rights are known. */
  #hasOtherRole = false;

  constructor(options: RewriterOptions) {
    this.#options = options;
  }

  /** Statements are prepared with more parameters than the client's: each cycle must be looked at. */
  get hasPrepared(): boolean {
    return this.#prepared.size > 0;
  }

  /** A new connection: nothing is prepared on it. */
  reset(): void {
    this.#prepared.clear();
    this.#hasOtherRole = false;
  }

  /**
   * Writes one cycle.
   *
   * @param made when the primary answered the transaction.
   * @param reply the primary's to the cycle's n-th result, from 0.
   */
  cycle(
    bytes: Uint8Array<ArrayBuffer>,
    made: Moment,
    reply: (result: number) => Reply | undefined,
  ): Rewritten {
    this.#made = made;
    const given = new Map<number, GivenColumns>();
    const parts: Uint8Array[] = [];
    let from = 0;
    for (const message of messagesOf(bytes)) {
      const { result } = message;
      const written = this.#message(bytes, message, () => reply(result));
      if (written === undefined) continue;
      parts.push(bytes.subarray(from, message.start), written.bytes);
      if (written.given !== undefined) given.set(result, written.given);
      from = message.end;
    }
    if (from === 0) return { bytes, given: NONE };
    parts.push(bytes.subarray(from));
    return { bytes: concat(parts), given };
  }

  /** The mirror has answered the cycle, and acted on so many of its messages. */
  answered(completed: number): void {
    this.#prepared.answered(completed);
  }

  /** What stands in a message's place; undefined: the message itself. */
  #message(
    bytes: Uint8Array<ArrayBuffer>,
    message: ClientMessage,
    reply: () => Reply | undefined,
  ): { bytes: Uint8Array; given?: GivenColumns | undefined } | undefined {
    const { type, body, end, number } = message;
    switch (type) {
      case QUERY:
        return this.#query(bytes, message, reply);
      case PARSE: {
        const written = this.#parse(bytes, message);
        return written && { bytes: written };
      }
      case BIND:
        return this.#bind(bytes, message, reply);
      case CLOSE:
        if (bytes[body] === CLOSES_STATEMENT) {
          const name = nameAt(bytes, body + 1, end);
          this.#prepared.set(name, undefined, number);
        }
    }
    return undefined;
  }

  #parse(
    bytes: Uint8Array<ArrayBuffer>,
    { body, end, number }: ClientMessage,
  ): Uint8Array | undefined {
    const name = nameAt(bytes, body, end);
    this.#prepared.set(name, undefined, number);
    const from = bytes.indexOf(0, body) + 1;
    const to = bytes.indexOf(0, from);
    if (from === 0 || to < 0 || to + 3 > end) return undefined;
    const found = this.#insertion(bytes, from, to, number);
    if (found === undefined) return undefined;
    const { insertion, given } = found;
    const places = insertPlaces(bytes, from, to, insertion);
    const view = new DataView(bytes.buffer, bytes.byteOffset, end);
    const parameters = Math.max(
      view.getUint16(to + 1),
      highestParameter(bytes, from, to),
    );
    // Of a query those of all rows are one array.
    const added = (insertion.rows ?? 1) * given.columns.length;
    const isTooMuch = parameters + added > MAX_PARAMETERS ||
      !this.#prepared.hasRoomFor(name);
    if (places === undefined || isTooMuch) return undefined;
    const text = givenText(
      bytes,
      from,
      to,
      insertion,
      places,
      given,
      (row, column) =>
        `$${parameters + 1 + row * given.columns.length + column}`,
    );
    this.#prepared.set(name, found, number);
    return messageOf(
      PARSE,
      bytes.subarray(body, from),
      text,
      bytes.subarray(to, end),
    );
  }

  #bind(
    bytes: Uint8Array<ArrayBuffer>,
    { body, end }: ClientMessage,
    reply: () => Reply | undefined,
  ): { bytes: Uint8Array; given: GivenColumns | undefined } | undefined {
    if (this.#prepared.size === 0) return undefined;
    const bind = readBind(bytes, body, end);
    const prepared = bind && this.#prepared.get(bind.statement);
    if (bind === undefined || prepared === undefined) return undefined;
    const { insertion, given } = prepared;
    const rows = this.#told(reply(), prepared);
    const added: AddedParameter[] = [];
    const told = this.#accepted(rows, prepared, bind);
    for (let row = 0; row < (insertion.rows ?? 1); row++) {
      for (const column of given.columns) {
        const known = told.has(column) ? rows : undefined;
        const parameter = insertion.rows === undefined
          ? arrayOf(column, known, bind)
          : valueOf(column, known?.[row], bind);
        if (parameter.value === undefined) told.delete(column);
        added.push(parameter);
      }
    }
    return {
      bytes: messageOf(BIND, withParameters(bytes, body, end, bind, added)),
      given: toldOf(given, told),
    };
  }

  #query(
    bytes: Uint8Array<ArrayBuffer>,
    { body, end, number }: ClientMessage,
    reply: () => Reply | undefined,
  ): { bytes: Uint8Array; given: GivenColumns } | undefined {
    const to = end - 1;
    const found = this.#insertion(bytes, body, to, number);
    if (found === undefined) return undefined;
    const { insertion, given } = found;
    const rows = this.#told(reply(), found);
    const places = rows && insertPlaces(bytes, body, to, insertion);
    if (places === undefined) return undefined;
    const told = this.#accepted(rows, found, undefined);
    const value: WriteValue = (row, place) => {
      const column = given.columns[place] as GivenColumn; // it has one
      if (!told.has(column)) return undefined;
      const { value } = insertion.rows === undefined
        ? arrayOf(column, rows, undefined)
        : valueOf(column, rows?.[row], undefined);
      // In which encoding the client writes is not known here.
      if (value === undefined || value.some((byte) => byte >= 0x80)) {
        told.delete(column);
        return undefined;
      }
      return literalOf(decoder.decode(value.slice()));
    };
    const text = givenText(bytes, body, to, insertion, places, given, value);
    const known = toldOf(given, told);
    return known && {
      bytes: messageOf(QUERY, text, bytes.subarray(to, end)),
      given: known,
    };
  }

  /** The rows that the primary answered with; undefined: not each that was sent has come back, or not with the columns that are expected, so that nothing tells which is which. */
  #told(
    reply: Reply | undefined,
    { shape, insertion, given }: PreparedInsert,
  ): readonly ToldRow[] | undefined {
    if (!this.#options.giving.isOn) return undefined;
    const rows = toldRows(reply);
    const count = insertion.rows ?? rows?.length;
    if (reply === undefined || rows === undefined || rows.length !== count) {
      return undefined;
    }
    if (rows.some(({ length }) => length !== given.outputs)) return undefined;
    if (!insertion.returned.includes("all")) return rows;
    // The primary may have the columns in another order.
    const names = describedNames(reply.answer) ??
      this.#options.columns.of(shape, reply)?.map(({ name }) => name);
    const areTheSame = given.columns.every(({ name, output }) =>
      names?.at(output) === name
    );
    return areTheSame ? rows : undefined;
  }

  /** The columns whose values the mirror gets: those that it would have made alike. */
  #accepted(
    rows: readonly ToldRow[] | undefined,
    { insertion, given }: PreparedInsert,
    bind: Bind | undefined,
  ): Set<GivenColumn> {
    const { giving, nowUs: clock, isAlone } = this.#options;
    const made = this.#made;
    const nowUs = clock();
    const accepted = given.columns.filter((column) => {
      const { value, isBinary } = valueOf(column, rows?.[0], bind);
      // Of a row that was there before it is no new one's.
      return value === undefined || insertion.onConflict === "update" ||
        giving.accepts(
          given,
          column,
          { value, isBinary, made, isAlone },
          nowUs,
        );
    });
    return new Set(accepted);
  }

  /** The only statement of a text, if it inserts rows and the mirror may be given some of their values. */
  #insertion(
    bytes: Uint8Array<ArrayBuffer>,
    from: number,
    to: number,
    message: number,
  ): PreparedInsert | undefined {
    const { giving, shapes, catalog } = this.#options;
    const statements = shapes.get(bytes, from, to);
    const { shapes: all, links } = statements;
    followNames(this.#prepared, statements, message);
    if (all.some(changesRole)) this.#hasOtherRole = true;
    const [shape, ...others] = all;
    const insertion = others.length === 0 && links === undefined
      ? shape?.insertion
      : undefined;
    if (
      shape === undefined || insertion === undefined || this.#hasOtherRole
    ) return undefined;
    const given = giving.columns(insertion, catalog(), bytes, from, to);
    return given && { shape, insertion, given };
  }
}

/** Whether a cycle's statements may have to be written, or change how others are. */
export function isOfConcern(shapes: readonly Shape[]): boolean {
  return shapes.some((shape) =>
    shape.insertion !== undefined || changesRole(shape)
  );
}

/** Whether the session may have other rights from then on; of set_config() it is not known which setting it sets. */
function changesRole({ isControl, text, calls }: Shape): boolean {
  return isControl && SET_ROLE.test(text) || calls.includes("set_config");
}

/** Those columns that were told in all rows; undefined: none was. */
function toldOf(
  given: GivenColumns,
  told: ReadonlySet<GivenColumn>,
): GivenColumns | undefined {
  return told.size === 0 ? undefined : { ...given, columns: [...told] };
}

function valueOf(
  { type, output }: GivenColumn,
  row: ToldRow | undefined,
  bind: Bind | undefined,
): AddedParameter {
  const place = row === undefined || output >= 0 ? output : row.length + output;
  const value = row?.[place];
  const isBinary = bind !== undefined && isBinaryOutput(bind, place);
  if (value === undefined || isBinary) return { value, isBinary };
  return { value: isReadable(value, type) ? value : undefined, isBinary };
}

/** The values of all rows as one; undefined: there are none, one is NULL, or can't be read back. */
function arrayOf(
  column: GivenColumn,
  rows: readonly ToldRow[] | undefined,
  bind: Bind | undefined,
): AddedParameter {
  const all = rows?.map((row) => valueOf(column, row, bind)) ?? [];
  const isBinary = all[0]?.isBinary ?? false;
  const values = all.flatMap(({ value }) => value ?? []);
  if (all.length === 0 || values.length < all.length) {
    return { value: undefined, isBinary };
  }
  const value = isBinary
    ? binaryArray(values, column.typeOid)
    : textArray(values, column.type);
  return { value, isBinary };
}

const SET_ROLE =
  /^set\s+(?:(?:local|session)\s+)?(?:role\b|session\s+authorization\b)/i;
