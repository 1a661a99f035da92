import type { Catalog } from "../catalog/mod.ts";
import type { Reply } from "../judge/mod.ts";
import { type Insertion, skipSpace, tokens } from "../sql/mod.ts";
import type { Shape } from "../sql/shape.ts";
import type { ShapeCache } from "../sql/shape_cache.ts";
import {
  BIND,
  CLOSE,
  concat,
  EXECUTE,
  Framer,
  FUNCTION_CALL,
  HEADER_BYTES,
  PARSE,
  QUERY,
} from "../wire/mod.ts";
import {
  type AddedParameter,
  type Bind,
  isBinaryOutput,
  readBind,
  withParameters,
} from "./bind.ts";
import type { GivenColumn, GivenColumns } from "./given_columns.ts";
import { givenText, literalOf, type WriteValue } from "./given_text.ts";
import type { Giving } from "./giving.ts";
import { insertPlaces } from "./insert_places.ts";
import { type ToldRow, toldRows } from "./told_rows.ts";

/** Statements that a session has prepared here with more parameters; others are not given values. */
const MAX_PREPARED = 10_000;
/** Parameters of one statement (an int16 in Bind). */
const MAX_PARAMETERS = 65_535;
const STATEMENT = 0x53; // S, in Close
const decoder = new TextDecoder();

/** What a mirror's lanes share. */
export interface RewriterOptions {
  readonly giving: Giving;
  readonly shapes: ShapeCache;
  readonly catalog: () => Catalog;
}

/** A statement that is prepared on the mirror with more parameters than the client's. */
interface Prepared {
  readonly insertion: Insertion;
  readonly given: GivenColumns;
  /** Parameters of the client's own. */
  readonly parameters: number;
}

/** A client's message: `bytes[start, end)`, its body from `body` on. */
interface Message {
  readonly type: number;
  readonly start: number;
  readonly body: number;
  readonly end: number;
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
  readonly #prepared = new Map<string, Prepared>();
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
   * @param reply the primary's to the cycle's n-th result, from 0.
   */
  cycle(
    bytes: Uint8Array<ArrayBuffer>,
    reply: (result: number) => Reply | undefined,
  ): Rewritten {
    const messages = messagesOf(bytes);
    const results = resultNumbers(bytes, messages);
    const given = new Map<number, GivenColumns>();
    const parts: Uint8Array[] = [];
    let from = 0;
    messages.forEach((message, i) => {
      const result = results[i] as number; // one for each
      const written = this.#message(bytes, message, () => reply(result));
      if (written === undefined) return;
      parts.push(bytes.subarray(from, message.start), written.bytes);
      if (written.given !== undefined) given.set(result, written.given);
      from = message.end;
    });
    if (from === 0) return { bytes, given: NONE };
    parts.push(bytes.subarray(from));
    return { bytes: concat(parts), given };
  }

  /** What stands in a message's place; undefined: the message itself. */
  #message(
    bytes: Uint8Array<ArrayBuffer>,
    message: Message,
    reply: () => Reply | undefined,
  ): { bytes: Uint8Array; given?: GivenColumns | undefined } | undefined {
    const { type, body, end } = message;
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
        if (bytes[body] === STATEMENT) {
          this.#prepared.delete(nameAt(bytes, body + 1, end));
        }
    }
    return undefined;
  }

  #parse(
    bytes: Uint8Array<ArrayBuffer>,
    { body, end }: Message,
  ): Uint8Array | undefined {
    const name = nameAt(bytes, body, end);
    this.#prepared.delete(name);
    const from = bytes.indexOf(0, body) + 1;
    const to = bytes.indexOf(0, from);
    if (from === 0 || to < 0 || to + 3 > end) return undefined;
    const found = this.#insertion(bytes, from, to);
    if (found === undefined) return undefined;
    const { insertion, given } = found;
    const places = insertPlaces(bytes, from, to, insertion);
    const view = new DataView(bytes.buffer, bytes.byteOffset, end);
    const parameters = Math.max(
      view.getUint16(to + 1),
      highestParameter(bytes, from, to),
    );
    const added = insertion.rows * given.columns.length;
    const isTooMuch = parameters + added > MAX_PARAMETERS ||
      this.#prepared.size >= MAX_PREPARED;
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
    this.#prepared.set(name, { insertion, given, parameters });
    return message(PARSE, [
      bytes.subarray(body, from),
      text,
      bytes.subarray(to, end),
    ]);
  }

  #bind(
    bytes: Uint8Array<ArrayBuffer>,
    { body, end }: Message,
    reply: () => Reply | undefined,
  ): { bytes: Uint8Array; given: GivenColumns | undefined } | undefined {
    if (this.#prepared.size === 0) return undefined;
    const bind = readBind(bytes, body, end);
    const prepared = bind && this.#prepared.get(bind.statement);
    if (bind === undefined || prepared === undefined) return undefined;
    const { insertion, given } = prepared;
    const rows = this.#told(reply, insertion);
    const added: AddedParameter[] = [];
    const told = new Set(given.columns);
    for (let row = 0; row < insertion.rows; row++) {
      for (const column of given.columns) {
        const parameter = valueOf(column, rows?.[row], bind);
        if (parameter.value === undefined) told.delete(column);
        added.push(parameter);
      }
    }
    return {
      bytes: message(BIND, [withParameters(bytes, body, end, bind, added)]),
      given: toldOf(given, told),
    };
  }

  #query(
    bytes: Uint8Array<ArrayBuffer>,
    { body, end }: Message,
    reply: () => Reply | undefined,
  ): { bytes: Uint8Array; given: GivenColumns } | undefined {
    const to = end - 1;
    const found = this.#insertion(bytes, body, to);
    if (found === undefined) return undefined;
    const { insertion, given } = found;
    const rows = this.#told(reply, insertion);
    const places = rows && insertPlaces(bytes, body, to, insertion);
    if (places === undefined) return undefined;
    const told = new Set(given.columns);
    const value: WriteValue = (row, place) => {
      const column = given.columns[place] as GivenColumn; // it has one
      const { value } = valueOf(column, rows?.[row], undefined);
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
      bytes: message(QUERY, [text, bytes.subarray(to, end)]),
      given: known,
    };
  }

  /** The rows that the primary answered with; undefined: not each that was sent has come back, so that nothing tells which is which. */
  #told(
    reply: () => Reply | undefined,
    { rows: count }: Insertion,
  ): readonly ToldRow[] | undefined {
    if (!this.#options.giving.isOn) return undefined;
    const rows = toldRows(reply());
    return rows?.length === count ? rows : undefined;
  }

  /** The only statement of a text, if it inserts rows and the mirror may be given some of their values. */
  #insertion(
    bytes: Uint8Array<ArrayBuffer>,
    from: number,
    to: number,
  ): { insertion: Insertion; given: GivenColumns } | undefined {
    if (!MAY_MATTER.has((firstByte(bytes, from, to) ?? 0) | 0x20)) {
      return undefined;
    }
    const { giving, shapes, catalog } = this.#options;
    const { shapes: [shape, ...others], links } = shapes.get(bytes, from, to);
    for (const link of links ?? []) {
      // By PREPARE it has the client's own parameters.
      if (link?.kind === "prepared" && link.defines !== undefined) {
        this.#prepared.delete(link.name);
      }
    }
    if ([shape, ...others].some((one) => SET_ROLE.test(one?.text ?? ""))) {
      this.#hasOtherRole = true;
    }
    const insertion = others.length === 0 && links === undefined
      ? shape?.insertion
      : undefined;
    if (insertion === undefined || this.#hasOtherRole) return undefined;
    const given = giving.columns(insertion, catalog(), bytes, from, to);
    return given && { insertion, given };
  }
}

/** Whether a cycle's statements may have to be written, or change how others are. */
export function isOfConcern(shapes: readonly Shape[]): boolean {
  return shapes.some(({ insertion, isControl, text }) =>
    insertion !== undefined || isControl && SET_ROLE.test(text)
  );
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

/** Times are read back as they were written in ISO style only; the other styles leave the zone to guesses. */
function isReadable(value: Uint8Array, type: string): boolean {
  if (!/^"pg_catalog"\."(?:date|timestamp|timestamptz)"$/.test(type)) {
    return !/^"pg_catalog"\."(?:interval|money)"$/.test(type);
  }
  return /^\d{4,}-\d\d-\d\d/.test(decoder.decode(value.slice()));
}

/** The first byte that is neither space nor in a comment. */
function firstByte(
  bytes: Uint8Array,
  from: number,
  to: number,
): number | undefined {
  return bytes[skipSpace(bytes, from, to)];
}

/** INSERT, WITH, PREPARE and SET begin with one of these. */
const MAY_MATTER: ReadonlySet<number> = new Set(
  [..."iwps"].map((letter) => letter.charCodeAt(0)),
);
const SET_ROLE =
  /^set\s+(?:(?:local|session)\s+)?(?:role\b|session\s+authorization\b)/i;

function messagesOf(bytes: Uint8Array): readonly Message[] {
  const framer = new Framer();
  const messages: Message[] = [];
  for (let at = 0; at < bytes.length;) {
    const start = at;
    at = framer.step(bytes, at, bytes.length);
    if (!framer.finished) break;
    messages.push({
      type: framer.type,
      start,
      body: framer.bodyStart,
      end: at,
    });
  }
  return messages;
}

/** Of each message the number of the result that it leads to: a Bind's is that of the next Execute of its portal. */
function resultNumbers(
  bytes: Uint8Array,
  messages: readonly Message[],
): readonly number[] {
  let next = 0;
  const numbers = messages.map(({ type }) => {
    const isResult = type === EXECUTE || type === QUERY ||
      type === FUNCTION_CALL;
    return isResult ? next++ : NO_RESULT;
  });
  const executes = new Map<string, number>();
  for (let i = messages.length - 1; i >= 0; i--) {
    const { type, body, end } = messages[i] as Message; // i < length
    if (type !== EXECUTE && type !== BIND) continue;
    const portal = nameAt(bytes, body, end);
    if (type === EXECUTE) executes.set(portal, numbers[i] as number);
    else {
      numbers[i] = executes.get(portal) ?? NO_RESULT;
      executes.delete(portal);
    }
  }
  return numbers;
}

const NO_RESULT = -1;

function nameAt(bytes: Uint8Array, from: number, to: number): string {
  const end = bytes.indexOf(0, from);
  return decoder.decode(bytes.slice(from, end < 0 ? to : end));
}

/** The highest number of a parameter in SQL text. */
function highestParameter(bytes: Uint8Array, from: number, to: number): number {
  let highest = 0;
  for (const { kind, start, end } of tokens(bytes, from, to)) {
    if (kind !== "parameter") continue;
    const number = Number(decoder.decode(bytes.slice(start + 1, end)));
    highest = Math.max(highest, number);
  }
  return highest;
}

function message(
  type: number,
  parts: readonly Uint8Array[],
): Uint8Array<ArrayBuffer> {
  const head = new Uint8Array(HEADER_BYTES);
  const whole = concat([head, ...parts]);
  whole[0] = type;
  new DataView(whole.buffer).setUint32(1, whole.length - 1);
  return whole;
}
