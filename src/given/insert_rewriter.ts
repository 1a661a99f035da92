import type { Catalog } from "../catalog/mod.ts";
import { describedNames, type KnownColumns, type Reply } from "../judge/mod.ts";
import type { Shape } from "../sql/shape.ts";
import type { ShapeCache } from "../sql/shape_cache.ts";
import { BIND, CLOSE, concat, messageOf, PARSE, QUERY } from "../wire/mod.ts";
import {
  type AddedParameter,
  type Bind,
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
import { type CopyData, copyData } from "./copy_data.ts";
import {
  copyByBind,
  copyByQuery,
  type GivenCopy,
  type Written,
} from "./copied_messages.ts";
import { MAX_COPY_TEXT } from "./copy_rewriter.ts";
import type { GivenColumn, GivenColumns } from "./given_columns.ts";
import { givenText } from "./given_text.ts";
import { literalOf, type WriteValue } from "./value_text.ts";
import type { Giving } from "./giving.ts";
import {
  type KnownRows,
  NOTHING,
  parameterOf,
  updateOf,
  valueOf,
} from "./known_rows.ts";
import { updatedText } from "./updated_text.ts";
import { insertPlaces } from "./insert_places.ts";
import {
  LEFT_OUT,
  type LoggedResults,
  type LoggedRows,
  loggedValue,
  rowsInLog,
} from "./logged_rows.ts";
import type { Moment } from "./own_defaults.ts";
import type { PreparedInsert } from "./prepared_inserts.ts";
import { followNames, PreparedStatements } from "./prepared_statements.ts";
import { SessionSettings, setsSetting } from "./session_settings.ts";
import { pairArray } from "./pair_values.ts";
import { declaredTypes } from "./declared_types.ts";
import { highestParameter } from "./texts.ts";
import {
  hasFailed,
  insertedRows,
  isErrorOf,
  isWhole,
  type ToldRow,
  toldRows,
} from "./told_rows.ts";

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
  /** Whether other clients may have written beside a transaction, on either server. */
  readonly mayOverlap: (made: Moment) => boolean;
  /** The client's number. */
  readonly session: number;
  /** The client's startup parameters, `name\0value\0…`. */
  readonly parameters: string;
}

/** The results of a cycle that were given values, by their number. */
export type GivenResults = ReadonlyMap<number, GivenColumns>;

/** A cycle as the mirror gets it. */
export interface Rewritten {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly given: GivenResults;
  /** Messages that it has beside the client's, by their numbers. */
  readonly added: readonly number[];
}

const NONE: GivenResults = new Map();
const nothingLogged = () => undefined;
/** In the place of rows that were made: the mirror makes its own. */
const NOT_MADE: LoggedRows = Object.assign([], { areMade: true as const });
/** A row has other fields than the COPY: with more of them that would be another error. */
const BAD_COPY_FORMAT = /^22P04$/;

/** What is known of a statement's rows. */
interface Told {
  readonly reply: () => Reply | undefined;
  readonly logged: (copied?: () => number) => LoggedRows | undefined;
  /** What the client sent for it, if it is a COPY. */
  readonly data: () => CopyData | undefined;
}

/**
 * Writes the INSERTs that go over one connection so that the mirror inserts
 * what the primary generated. What it has prepared is followed: a Bind gets
 * more values if its statement's text was written with more parameters.
 */
export class InsertRewriter {
  readonly #options: RewriterOptions;
  readonly #prepared = new PreparedStatements<PreparedInsert>();
  #made: Moment = { startUs: 0, endUs: 0 };
  readonly #settings: SessionSettings;

  constructor(options: RewriterOptions) {
    this.#options = options;
    this.#settings = new SessionSettings(options.parameters);
  }

  /** Statements are prepared with more parameters than the client's: each cycle must be looked at. */
  get hasPrepared(): boolean {
    return this.#prepared.size > 0;
  }

  /** A new connection: nothing is prepared on it. */
  reset(): void {
    this.#prepared.clear();
    this.#settings.reset();
  }

  /**
   * Writes one cycle.
   *
   * @param made when the primary answered the transaction.
   * @param reply the primary's to the cycle's n-th result, from 0.
   * @param logged the rows of it that the primary's log has.
   */
  cycle(
    bytes: Uint8Array<ArrayBuffer>,
    made: Moment,
    reply: (result: number) => Reply | undefined,
    logged: LoggedResults = nothingLogged,
  ): Rewritten {
    this.#made = made;
    const given = new Map<number, GivenColumns>();
    const parts: Uint8Array[] = [];
    const added: number[] = [];
    let from = 0;
    messagesOf(bytes).forEach((message, at, all) => {
      const { result, number, start, end } = message;
      const moved = added.length === 0
        ? message
        : { ...message, number: number + added.length };
      const written = this.#message(bytes, moved, {
        reply: () => reply(result),
        logged: (copied) => logged(result, copied),
        data: () => copyData(all, at),
      });
      if (written === undefined) return;
      parts.push(bytes.subarray(from, start), ...written.bytes);
      if (written.given !== undefined) given.set(result, written.given);
      for (let i = 0; i < (written.added ?? 0); i++) {
        added.push(moved.number + i);
      }
      from = written.end ?? end;
    });
    if (from === 0) return { bytes, given: NONE, added };
    parts.push(bytes.subarray(from));
    return { bytes: concat(parts), given, added };
  }

  /** The mirror has answered the cycle, and acted on so many of its messages. */
  answered(completed: number): void {
    this.#prepared.answered(completed);
  }

  /** What stands in a message's place; undefined: the message itself. */
  #message(
    bytes: Uint8Array<ArrayBuffer>,
    message: ClientMessage,
    told: Told,
  ): Written | undefined {
    const { type, body, end, number } = message;
    switch (type) {
      case QUERY:
        return this.#query(bytes, message, told);
      case PARSE: {
        const written = this.#parse(bytes, message);
        return written && { bytes: [written] };
      }
      case BIND:
        return this.#bind(bytes, message, told);
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
    const { given, insertion } = found;
    if (insertion?.source === "copy") {
      if (to - from > MAX_COPY_TEXT || !this.#prepared.hasRoomFor(name)) {
        return undefined;
      }
      const text = bytes.slice(from, to);
      this.#prepared.set(name, { ...found, text }, number);
      return undefined;
    }
    const view = new DataView(bytes.buffer, bytes.byteOffset, end);
    const parameters = Math.max(
      view.getUint16(to + 1),
      highestParameter(bytes, from, to),
    );
    const added = rowsOf(found) * given.columns.length + given.pairs.length +
      given.updates.length;
    const isTooMuch = parameters + added > MAX_PARAMETERS ||
      !this.#prepared.hasRoomFor(name);
    const types = declaredTypes(bytes, from, to, end, found);
    if (isTooMuch || types === undefined) return undefined;
    const text = writtenText(
      bytes,
      from,
      to,
      found,
      (row, column) =>
        `$${parameters + 1 + row * given.columns.length + column}`,
    );
    if (text === undefined) return undefined;
    this.#prepared.set(name, found, number);
    return messageOf(
      PARSE,
      bytes.subarray(body, from),
      text,
      bytes.subarray(to, to + 1),
      types,
    );
  }

  #bind(
    bytes: Uint8Array<ArrayBuffer>,
    message: ClientMessage,
    told: Told,
  ): Written | undefined {
    if (this.#prepared.size === 0) return undefined;
    const { body, end } = message;
    const bind = readBind(bytes, body, end);
    const known = bind && this.#prepared.get(bind.statement);
    if (bind === undefined || known === undefined) return undefined;
    if (known.text !== undefined) {
      const copied = this.#copied(bytes, known, known.text, told);
      return copied && copyByBind(bytes, message, bind, copied);
    }
    const { reply, logged } = told;
    const prepared = this.#located(known, reply());
    const { insertion, given } = prepared;
    const rows = this.#told(reply(), prepared);
    const inLog = this.#inLog(logged(), insertion);
    if (rows === undefined && inLog === undefined) {
      this.#untold(reply(), insertion);
    }
    const added: AddedParameter[] = [];
    const accepted = this.#accepted(rows, inLog, prepared, bind);
    const toldColumns = new Set(accepted);
    for (let row = 0; row < rowsOf(prepared); row++) {
      for (const column of given.columns) {
        const known = accepted.has(column) ? { rows, inLog } : NOTHING;
        const parameter = parameterOf(prepared, column, row, known, bind);
        if (parameter.isOwn) toldColumns.delete(column);
        added.push(parameter);
      }
    }
    for (const pair of given.pairs) added.push(pairArray(pair, inLog));
    for (const column of given.updates) {
      const parameter = this.#update(column, prepared, { rows, inLog }, bind);
      if (parameter.value !== undefined) toldColumns.add(column);
      added.push(parameter);
    }
    return {
      bytes: [messageOf(BIND, withParameters(bytes, body, end, bind, added))],
      given: toldOf(given, toldColumns),
    };
  }

  #query(
    bytes: Uint8Array<ArrayBuffer>,
    message: ClientMessage,
    sent: Told,
  ): Written | undefined {
    const { body, end, number } = message;
    const to = end - 1;
    const known = this.#insertion(bytes, body, to, number);
    if (known === undefined) return undefined;
    if (known.insertion?.source === "copy") {
      const text = bytes.subarray(body, to);
      const copied = this.#copied(bytes, known, text, sent);
      return copied && copyByQuery(bytes, message, copied);
    }
    const { reply, logged } = sent;
    const found = this.#located(known, reply());
    const { insertion, given } = found;
    const rows = this.#told(reply(), found);
    const inLog = this.#inLog(logged(), insertion);
    if ((rows ?? inLog) === undefined) {
      this.#untold(reply(), insertion);
      return undefined;
    }
    const accepted = this.#accepted(rows, inLog, found, undefined);
    const told = new Set(accepted);
    const value: WriteValue = (row, place) => {
      const pair = given.pairs[place - given.columns.length];
      if (pair !== undefined) {
        const { value } = pairArray(pair, inLog);
        return value && literalOf(decoder.decode(value));
      }
      const update = given.updates[place - given.columns.length];
      if (update !== undefined) {
        const known = { rows, inLog };
        const { value } = this.#update(update, found, known, undefined);
        // In which encoding the client writes is not known here.
        if (value === undefined || value.some((byte) => byte >= 0x80)) {
          return undefined;
        }
        told.add(update);
        return literalOf(decoder.decode(value.slice()));
      }
      const column = given.columns[place] as GivenColumn; // it has one
      if (!accepted.has(column)) return undefined;
      const values = { rows, inLog };
      const parameter = parameterOf(found, column, row, values, undefined);
      if (parameter.isOwn) told.delete(column);
      const { value } = parameter;
      if (value === undefined) return undefined;
      // In which encoding the client writes is not known here.
      if (value.some((byte) => byte >= 0x80)) {
        told.delete(column);
        return undefined;
      }
      return literalOf(decoder.decode(value.slice()));
    };
    const text = writtenText(bytes, body, to, found, value);
    if (text === undefined) return undefined;
    const written = toldOf(given, told);
    if (written === undefined && !inLog?.areMade) return undefined;
    return {
      bytes: [messageOf(QUERY, text, bytes.subarray(to, end))],
      given: written,
    };
  }

  /** A COPY with what the log has of its rows; undefined: it goes as it came. */
  #copied(
    bytes: Uint8Array<ArrayBuffer>,
    found: PreparedInsert,
    text: Uint8Array,
    { reply, logged, data }: Told,
  ): GivenCopy | undefined {
    const { giving, session } = this.#options;
    const { insertion, given } = found;
    const theirs = reply();
    const sent = data();
    if (theirs === undefined || isErrorOf(theirs, BAD_COPY_FORMAT)) {
      return undefined;
    }
    const count = () => sent ? giving.copies.rows(bytes, text, sent) : 0;
    const rows = rowsInLog(logged(count), insertion);
    const accepted = this.#accepted(undefined, rows, found, undefined);
    const written = rows && sent &&
      giving.copies.written(bytes, text, sent, rows, [...accepted]);
    const columns = new Set(written?.columns);
    const isUntold = [...accepted].some((column) =>
      column.nature === "sequence" && !columns.has(column)
    );
    if (isUntold) this.#untold(theirs, insertion);
    if (rows === undefined || written === undefined) return undefined;
    const leftOut = { session, endUs: this.#made.endUs };
    giving.copied(given, columns, rows.length, leftOut);
    const told = rows.areMade ? undefined : toldOf(given, columns);
    return { ...written, given: told };
  }

  /** What ON CONFLICT sets. */
  #update(
    column: GivenColumn,
    { given }: PreparedInsert,
    known: KnownRows,
    bind: Bind | undefined,
  ): AddedParameter {
    const isGiven = this.#options.giving.mayGive(given, column);
    return updateOf(column, isGiven ? known : NOTHING, bind);
  }

  /** Where the primary has the columns of a lone star: more of them may have come since the mirror was asked, or in another order. */
  #located(found: PreparedInsert, reply: Reply | undefined): PreparedInsert {
    const { shape, insertion, given } = found;
    const [only, ...others] = insertion?.returned ?? [];
    if (only !== "all" || others.length > 0 || reply === undefined) {
      return found;
    }
    const names = describedNames(reply.answer) ??
      this.#options.columns.of(shape, reply)?.map(({ name }) => name);
    if (names === undefined) return found;
    const all = [...given.columns, ...given.updates];
    const areThere = all.every(({ name, output }) =>
      output === "log" || names.includes(name)
    );
    if (!areThere) return found;
    const located = (column: GivenColumn): GivenColumn =>
      column.output === "log"
        ? column
        : { ...column, output: names.indexOf(column.name) };
    return {
      ...found,
      given: {
        ...given,
        columns: given.columns.map(located),
        updates: given.updates.map(located),
        outputs: names.length,
      },
    };
  }

  /** The rows that the primary answered with; undefined: not each that was sent has come back, or not with the columns that are expected, so that nothing tells which is which. */
  #told(
    reply: Reply | undefined,
    { shape, insertion, given }: PreparedInsert,
  ): readonly ToldRow[] | undefined {
    if (!this.#options.giving.isOn) return undefined;
    const rows = toldRows(reply);
    if (insertion === undefined) return undefined;
    const count = insertion.rows ?? rows?.length;
    if (reply === undefined || rows === undefined || rows.length !== count) {
      return undefined;
    }
    if (rows.some(({ length }) => length !== given.outputs)) return undefined;
    if (!insertion.returned.includes("all")) return rows;
    // The primary may have the columns in another order.
    const names = describedNames(reply.answer) ??
      this.#options.columns.of(shape, reply)?.map(({ name }) => name);
    const all = [...given.columns, ...given.updates];
    const areTheSame = all.every(({ name, output }) =>
      output === "log" || names?.at(output) === name
    );
    return areTheSame ? rows : undefined;
  }

  /** What the log has of the rows, or made ones in their place. */
  #inLog(
    rows: LoggedRows | undefined,
    insertion: Shape["insertion"],
  ): LoggedRows | undefined {
    const inLog = rowsInLog(rows, insertion);
    // Of a client by itself the mirror's sequence gives the very number.
    return inLog?.isKept && !this.#options.mayOverlap(this.#made)
      ? NOT_MADE
      : inLog;
  }

  /** An INSERT that is not given what it drew: was there anything? */
  #untold(
    reply: Reply | undefined,
    insertion: Shape["insertion"],
  ): void {
    if (insertion === undefined || reply === undefined) return;
    if (hasFailed(reply) || isWhole(reply) && insertedRows(reply) === 0) return;
    const { giving, catalog } = this.#options;
    giving.untold(insertion, catalog());
  }

  /** The columns whose values the mirror gets: those that it would have made alike. */
  #accepted(
    rows: readonly ToldRow[] | undefined,
    inLog: LoggedRows | undefined,
    { insertion, given }: PreparedInsert,
    bind: Bind | undefined,
  ): ReadonlySet<GivenColumn> {
    const { giving, nowUs: clock, session, isAlone } = this.#options;
    const made = this.#made;
    const nowUs = clock();
    const isUpsert = insertion?.onConflict === "update";
    const isFirst = inLog?.[0] !== LEFT_OUT;
    const firstInLog = inLog?.find((row) => row !== LEFT_OUT);
    const accepted = given.columns.filter((column) => {
      const known = valueOf(column, rows?.[0], bind);
      const { value, isBinary } = known ?? loggedValue(column, firstInLog);
      // Of what the client's own text has the mirror was not asked.
      const isUnasked = column.expression === undefined ||
        known === undefined && inLog?.areMade === true;
      return value === undefined || isUnasked || giving.accepts(
        given,
        column,
        {
          value,
          isBinary,
          made,
          session,
          isUpsert,
          // Rows in front of it have drawn lower numbers.
          isAlone: () => isFirst && isAlone(),
        },
        nowUs,
      );
    });
    return new Set(accepted);
  }

  /** The only statement of a text, if it inserts or updates rows and the mirror may be given some of their values. */
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
    const settings = this.#settings;
    settings.note(all, bytes, from, to);
    const [shape, ...others] = all;
    // By its own search_path a name may stand for another relation.
    const isElsewhere = settings.hasOtherPath &&
      all.some((one) =>
        [one.insertion, one.updating].some((write) =>
          write !== undefined && catalog().isAmbiguous(write.relation)
        )
      );
    if (
      shape === undefined || others.length > 0 || links !== undefined ||
      settings.hasOtherRole || isElsewhere
    ) {
      for (const { insertion } of all) {
        if (insertion !== undefined) {
          giving.untold(insertion, catalog(), isElsewhere);
        }
      }
      return undefined;
    }
    const { insertion, updating } = shape;
    const given = insertion !== undefined
      ? giving.columns(insertion, catalog(), bytes, from, to)
      : updating && giving.updated(updating, catalog(), bytes, from, to);
    return given && { shape, insertion, given };
  }
}

/** Of how many rows a statement has values. */
function rowsOf({ insertion }: PreparedInsert): number {
  return insertion?.rows ?? 1;
}

/** @returns undefined if the text is not as expected. */
function writtenText(
  bytes: Uint8Array,
  from: number,
  to: number,
  { insertion, shape: { updating }, given }: PreparedInsert,
  value: WriteValue,
): Uint8Array<ArrayBuffer> | undefined {
  if (insertion === undefined) {
    return updating && updatedText(bytes, from, to, updating, given, value);
  }
  const places = insertPlaces(bytes, from, to, insertion);
  return places &&
    givenText(bytes, from, to, insertion, places, given, value);
}

/** Whether a cycle's statements may have to be written, or change how others are. */
export function isOfConcern(shapes: readonly Shape[]): boolean {
  return shapes.some((shape) =>
    shape.insertion !== undefined || shape.updating !== undefined ||
    setsSetting(shape)
  );
}

/** Those columns that were told in all rows; undefined: none was. */
function toldOf(
  given: GivenColumns,
  told: ReadonlySet<GivenColumn>,
): GivenColumns | undefined {
  if (told.size === 0) return undefined;
  const isTold = (column: GivenColumn) => told.has(column);
  return {
    ...given,
    columns: given.columns.filter(isTold),
    updates: given.updates.filter(isTold),
  };
}
