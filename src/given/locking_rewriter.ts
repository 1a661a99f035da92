import type { Reply } from "../judge/mod.ts";
import type { TouchedRows } from "../sql/pinned_values.ts";
import type { Shape } from "../sql/shape.ts";
import { BIND, CLOSE, concat, messageOf, PARSE, QUERY } from "../wire/mod.ts";
import {
  type AddedParameter,
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
import { literalOf } from "./value_text.ts";
import type { RewriterOptions } from "./insert_rewriter.ts";
import { binaryArray, textArray } from "./key_arrays.ts";
import type { LockedKey } from "./locked_key.ts";
import { type LockingPlaces, lockingPlaces } from "./locking_places.ts";
import type { LoggedResults } from "./logged_rows.ts";
import { keyCondition, lockingText } from "./locking_text.ts";
import { turnsOnMoment } from "./moment_rewriter.ts";
import type { Moment } from "./own_defaults.ts";
import { followNames, PreparedStatements } from "./prepared_statements.ts";
import { highestParameter } from "./texts.ts";
import {
  type LockedRows,
  type RowLockings,
  touchedRows,
} from "./row_lockings.ts";

const decoder = new TextDecoder();

/** A statement that locks rows, and the key by which they are told. */
interface Locking {
  readonly shape: Shape;
  readonly key: LockedKey;
}

/** What stands in a message's place, and the rows that the mirror takes by it. */
interface Written {
  readonly bytes: Uint8Array;
  readonly taken?: readonly TouchedRows[];
}

/** What a mirror's lanes share. */
export interface LockingRewriterOptions
  extends Pick<RewriterOptions, "shapes" | "catalog" | "mayOverlap"> {
  readonly lockings: RowLockings;
  /** Whether others may have committed what a statement chooses rows by between its run on the primary, in a transaction that is over by `endUs`, and now on the mirror. */
  readonly isPassed: (shape: Shape, ranUs: number, endUs: number) => boolean;
}

/** The primary's side of a cycle that is written. */
export interface CycleOnPrimary {
  /** When it answered the transaction … */
  readonly made: Moment;
  /** … and when the cycle was sent. */
  readonly ranUs: number;
  /** Its reply to the cycle's n-th result, from 0. */
  readonly reply: (result: number) => Reply | undefined;
  /** The rows of the cycle that its log has. */
  readonly logged: LoggedResults;
}

/** The results of a cycle whose rows the mirror was told, by their number. */
export type TakenResults = ReadonlyMap<number, readonly TouchedRows[]>;

const NONE: TakenResults = new Map();
const NEVER: Moment = { startUs: 0, endUs: 0 };
const NOTHING: CycleOnPrimary = {
  made: NEVER,
  ranUs: 0,
  reply: () => undefined,
  logged: () => undefined,
};

/**
 * Writes the statements that go over one connection, and could choose other rows
 * on the mirror, so that it locks the rows that the primary has locked. Whether
 * they are there and meet the client's own condition it finds out by itself.
 */
export class LockingRewriter {
  /** Answers have their rows: without them no row is told. */
  isTold = true;
  readonly #options: LockingRewriterOptions;
  readonly #prepared = new PreparedStatements<Locking>();
  #primary: CycleOnPrimary = NOTHING;

  constructor(options: LockingRewriterOptions) {
    this.#options = options;
  }

  /** Statements are prepared with more parameters than the client's: each cycle must be looked at. */
  get hasPrepared(): boolean {
    return this.#prepared.size > 0;
  }

  /** A new connection: nothing is prepared on it. */
  reset(): void {
    this.#prepared.clear();
  }

  /** Writes one cycle. */
  cycle(
    bytes: Uint8Array<ArrayBuffer>,
    primary: CycleOnPrimary,
  ): { readonly bytes: Uint8Array<ArrayBuffer>; readonly taken: TakenResults } {
    this.#primary = primary;
    const taken = new Map<number, readonly TouchedRows[]>();
    const parts: Uint8Array[] = [];
    let from = 0;
    for (const message of messagesOf(bytes)) {
      const written = this.#message(bytes, message);
      if (written === undefined) continue;
      parts.push(bytes.subarray(from, message.start), written.bytes);
      if (written.taken !== undefined) taken.set(message.result, written.taken);
      from = message.end;
    }
    if (from === 0) return { bytes, taken: NONE };
    parts.push(bytes.subarray(from));
    return { bytes: concat(parts), taken };
  }

  /** The mirror has answered the cycle, and acted on so many of its messages. */
  answered(completed: number): void {
    this.#prepared.answered(completed);
  }

  /** Undefined: the message goes as it came. */
  #message(
    bytes: Uint8Array<ArrayBuffer>,
    message: ClientMessage,
  ): Written | undefined {
    const { type, body, end, number } = message;
    switch (type) {
      case QUERY:
        return this.#query(bytes, message);
      case PARSE:
        return this.#parse(bytes, message);
      case BIND:
        return this.#bind(bytes, message);
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
  ): Written | undefined {
    const name = nameAt(bytes, body, end);
    this.#prepared.set(name, undefined, number);
    const from = bytes.indexOf(0, body) + 1;
    const to = bytes.indexOf(0, from);
    if (from === 0 || to < 0 || to + 3 > end) return undefined;
    const locking = this.#locking(bytes, from, to, number);
    const places = locking && placesOf(locking, bytes, from, to);
    if (locking === undefined || places === undefined) return undefined;
    const view = new DataView(bytes.buffer, bytes.byteOffset, end);
    const parameters = Math.max(
      view.getUint16(to + 1),
      highestParameter(bytes, from, to),
    );
    const { key } = locking;
    if (
      parameters + key.columns.length > MAX_PARAMETERS ||
      !this.#prepared.hasRoomFor(name)
    ) return undefined;
    const isTaken = keyCondition(key, (i) => `$${parameters + 1 + i}`, true);
    this.#prepared.set(name, locking, number);
    const text = lockingText(bytes, from, to, places, isTaken);
    return {
      bytes: messageOf(
        PARSE,
        bytes.subarray(body, from),
        text,
        bytes.subarray(to, end),
      ),
    };
  }

  #bind(
    bytes: Uint8Array<ArrayBuffer>,
    { body, end, result }: ClientMessage,
  ): Written | undefined {
    if (this.#prepared.size === 0) return undefined;
    const bind = readBind(bytes, body, end);
    const prepared = bind && this.#prepared.get(bind.statement);
    if (bind === undefined || prepared === undefined) return undefined;
    const { key } = prepared;
    const isBinary = (output: number) => isBinaryOutput(bind, output);
    const rows = this.#told(prepared, result);
    const arrays = rows && arraysOf(key, rows, isBinary);
    // Without them the mirror takes what its own condition finds.
    const added = arrays ??
      key.columns.map(() => ({ value: undefined, isBinary: false }));
    const written = withParameters(bytes, body, end, bind, added);
    return {
      bytes: messageOf(BIND, written),
      ...(arrays && rows && { taken: touchedRows(key, rows, isBinary) }),
    };
  }

  #query(
    bytes: Uint8Array<ArrayBuffer>,
    { body, end, number, result }: ClientMessage,
  ): Written | undefined {
    const to = end - 1;
    const locking = this.#locking(bytes, body, to, number);
    const places = locking && placesOf(locking, bytes, body, to);
    if (locking === undefined || places === undefined) return undefined;
    const { key } = locking;
    const rows = this.#told(locking, result);
    const arrays = rows && arraysOf(key, rows, () => false)?.map(plainText);
    if (arrays === undefined || arrays.includes(undefined)) return undefined;
    const isTaken = keyCondition(key, (i) => literalOf(arrays[i] ?? ""), false);
    const text = lockingText(bytes, body, to, places, isTaken);
    return {
      bytes: messageOf(QUERY, text, bytes.subarray(to, end)),
      ...(rows && { taken: touchedRows(key, rows, () => false) }),
    };
  }

  /** The keys of the rows of a result that the mirror is told; undefined: it takes what it finds. */
  #told({ key, shape }: Locking, result: number): LockedRows | undefined {
    const { lockings, mayOverlap, isPassed } = this.#options;
    const { made, ranUs, reply, logged } = this.#primary;
    if (result < 0) return undefined;
    if (key.locking.own !== undefined && !isPassed(shape, ranUs, made.endUs)) {
      return undefined;
    }
    const told = lockings.told(
      key,
      reply(result),
      shape,
      () => logged(result),
    );
    if (told === undefined || key.locking.own !== undefined) return told;
    // Without another's locks the mirror has to find the same rows, or none, unless it comes at another moment.
    const isCertain = told.rows.length === 0 || key.isCertain;
    return isCertain && !turnsOnMoment(shape) && !mayOverlap(made)
      ? undefined
      : told;
  }

  /** The only statement of a text, if the mirror may be told which rows it locks. */
  #locking(
    bytes: Uint8Array<ArrayBuffer>,
    from: number,
    to: number,
    message: number,
  ): Locking | undefined {
    const { lockings, shapes, catalog } = this.#options;
    const statements = shapes.get(bytes, from, to);
    followNames(this.#prepared, statements, message);
    const [shape, ...others] = statements.shapes;
    const own = others.length === 0 && statements.links === undefined
      ? shape?.rowLocking
      : undefined;
    if (shape === undefined || own === undefined || !this.isTold) {
      return undefined;
    }
    const key = lockings.key(own, catalog(), bytes, from, to);
    return key && { shape, key };
  }
}

function placesOf(
  { key }: Locking,
  bytes: Uint8Array,
  from: number,
  to: number,
): LockingPlaces | undefined {
  return lockingPlaces(bytes, from, to, key.locking.own !== undefined);
}

/** The values of each column of the key; undefined: they can't be written. */
function arraysOf(
  { columns }: LockedKey,
  { rows, isLogged }: LockedRows,
  isBinaryAt: (output: number) => boolean,
): readonly AddedParameter[] | undefined {
  const arrays = columns.map(({ type, typeOid, output }, i) => {
    const values = rows.map((row) => row[i] as Uint8Array); // no key is NULL
    const isBinary = !isLogged && output !== undefined && isBinaryAt(output);
    const value = isBinary
      ? binaryArray(values, typeOid)
      : textArray(values, type);
    return { value, isBinary };
  });
  return arrays.some(({ value }) => value === undefined) ? undefined : arrays;
}

/** In which encoding the client writes is not known: of other letters nothing. */
function plainText({ value }: AddedParameter): string | undefined {
  return value === undefined || value.some((byte) => byte >= 0x80)
    ? undefined
    : decoder.decode(value.slice());
}
