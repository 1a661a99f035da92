import { isSameMoment, timeUs } from "../judge/mod.ts";
import type { GivenColumn, GivenColumns } from "./given_columns.ts";
import {
  drawing,
  nextNumber,
  numberText,
  type OwedDraws,
  sequenceOf,
} from "./own_numbers.ts";
import { type Asked, type LeftOut, OwnSequence } from "./own_sequence.ts";
import type { ToldRow } from "./told_rows.ts";

/** Columns that were asked for. If there are more, all are asked for anew. */
const MAX_ASKED_COLUMNS = 10_000;
/** Columns that one question asks for: PostgreSQL's bound for a select list is 1,664. */
const MAX_QUESTION_COLUMNS = 100;
/** A clock may be set. */
const ASK_AGAIN_US = 60_000_000;

/** When the primary made what it told, in microseconds of the monotonic clock. */
export interface Moment {
  readonly startUs: number;
  readonly endUs: number;
}

/** Why a value that the primary told is not given. */
export type Objection =
  /** The mirror's sequence would give a lower number. */
  | "behind"
  /** The mirror's clock, or its time zone, is another one. */
  | "another moment"
  /** The default's values are of a form that is not read. */
  | "not comparable";

/** A value that the primary told. */
export interface ToldValue {
  readonly value: Uint8Array;
  readonly isBinary: boolean;
  readonly made: Moment;
  /** The client's number: a moment is written in its time zone. */
  readonly session: number;
  readonly isUpsert: boolean;
  readonly isAlone: () => boolean;
}

/** An INSERT that is about to be sent. */
export interface SentInsert {
  readonly given: GivenColumns;
  /** Nothing that is sent with it draws from a sequence before it does. */
  readonly isExact: boolean;
}

/** Columns that the mirror is asked for before a cycle is sent. */
export interface DefaultsQuestion {
  readonly sql: string;
  readonly columns: readonly Asked[];
  /** What is drawn before. */
  readonly drawn: readonly {
    readonly sequence: OwnSequence;
    readonly owed: OwedDraws;
  }[];
}

/**
 * What one mirror would make by itself of the columns that it is given values
 * for. Given values would hide a sequence that is behind (INSERTs fail by it
 * after the move) and a clock that is wrong. So each default is evaluated on the
 * mirror, in the client's own session, and held against what the primary told;
 * a column that is too far off is left to the mirror, and the judge sees it.
 */
export class OwnDefaults {
  /** By relation's OID, and column. */
  readonly #sequences = new Map<string, OwnSequence>();
  /** By session, relation's OID, and column. */
  readonly #times = new Map<string, Asked>();

  /** What the mirror is to be asked before these INSERTs of a session; undefined: nothing. */
  question(
    inserts: readonly SentInsert[],
    session: number,
    nowUs: number,
  ): DefaultsQuestion | undefined {
    const columns: Asked[] = [];
    const items: string[] = [];
    const drawn: { sequence: OwnSequence; owed: OwedDraws }[] = [];
    const draws: string[] = [];
    for (const { given: { oid, columns: given }, isExact } of inserts) {
      for (const column of given) {
        if (columns.length === MAX_QUESTION_COLUMNS) break;
        const item = itemOf(column);
        const isDue = item !== undefined &&
          (column.nature === "time"
            ? this.#isTimeDue(keyOf(oid, column, session), nowUs)
            : this.#sequence(oid, column).isDue(nowUs));
        if (!isDue) continue;
        const asked = { atUs: nowUs, own: undefined, isExact, isFresh: true };
        if (column.nature === "time") {
          if (this.#times.size >= MAX_ASKED_COLUMNS) this.#times.clear();
          this.#times.set(keyOf(oid, column, session), asked);
        } else {
          const sequence = this.#sequence(oid, column);
          sequence.asked = asked;
          const name = sequenceOf(column.expression ?? "");
          const owed = name === undefined ? undefined : sequence.takeOwed();
          if (name !== undefined && owed !== undefined) {
            drawn.push({ sequence, owed });
            draws.push(`${drawing(name, owed)} d${draws.length}`);
          }
        }
        columns.push(asked);
        items.push(item);
      }
    }
    if (columns.length === 0) return undefined;
    // What stands in FROM comes before what is selected.
    const from = draws.length > 0 ? ` FROM ${draws.join(", ")}` : "";
    return { sql: `SELECT ${items.join(", ")}${from}`, columns, drawn };
  }

  /** An INSERT that the mirror does not get has drawn so many numbers from a column's sequence. */
  missed(
    oid: string,
    column: GivenColumn,
    draws: number,
    leftOut: LeftOut,
  ): void {
    this.#sequence(oid, column).missed(draws, leftOut);
  }

  /** The connection was lost before the mirror answered. */
  unanswered({ drawn }: DefaultsQuestion): void {
    for (const { sequence, owed } of drawn) sequence.giveBack(owed);
  }

  #isTimeDue(key: string, nowUs: number): boolean {
    const asked = this.#times.get(key);
    return asked === undefined || nowUs - asked.atUs >= ASK_AGAIN_US;
  }

  #sequence(oid: string, column: GivenColumn): OwnSequence {
    const key = keyOf(oid, column);
    let sequence = this.#sequences.get(key);
    if (sequence === undefined) {
      if (this.#sequences.size >= MAX_ASKED_COLUMNS) this.#sequences.clear();
      sequence = new OwnSequence();
      this.#sequences.set(key, sequence);
    }
    return sequence;
  }

  /** The mirror has answered; undefined: not with one row. */
  answered({ columns }: DefaultsQuestion, row: ToldRow | undefined): void {
    columns.forEach((asked, i) => {
      const own = row?.[i];
      asked.own = own === undefined ? null : decoder.decode(own.slice());
    });
  }

  /** Why the mirror would not have made about the same value by itself; undefined: it would, or nothing is known. */
  objection(
    oid: string,
    column: GivenColumn,
    told: ToldValue,
    nowUs: number,
  ): Objection | undefined {
    switch (column.nature) {
      case "chance":
        return undefined;
      case "sequence": {
        const number = numberText(told.value, column.type, told.isBinary);
        return this.#sequence(oid, column).told({ ...told, number }, nowUs);
      }
      case "time": {
        const key = keyOf(oid, column, told.session);
        const asked = this.#times.get(key);
        if (asked?.own === undefined) return undefined;
        if (asked.own === null) return "not comparable";
        const found = objectionOfClock(told, column, asked.own, asked.atUs);
        // The session may have another time zone by now.
        if (found === "another moment") this.#times.delete(key);
        return found;
      }
    }
  }
}

/** The default as an item of a select list; undefined: it is not asked for. */
function itemOf(
  { nature, type, expression }: GivenColumn,
): string | undefined {
  // What stands in the client's text is no default.
  if (nature === "chance" || expression === undefined) return undefined;
  const own = nature === "time" ? expression : nextNumber(expression);
  return own === undefined ? "NULL" : `((${own})::${type})::text`;
}

/** The mirror's clock gave a moment as far from its own question as the primary's was from the transaction, or did not. */
function objectionOfClock(
  { value, made }: ToldValue,
  { typeOid }: GivenColumn,
  own: string,
  atUs: number,
): Objection | undefined {
  // A binary time is told from a text by its bytes.
  const theirs = timeUs(value, typeOid, false);
  const ours = timeUs(encoder.encode(own), typeOid, false);
  if (theirs === undefined || ours === undefined) return "not comparable";
  const { startUs, endUs } = made;
  const slack = endUs - startUs;
  const isSame = isSameMoment(theirs + atUs - endUs, ours, typeOid, {
    later: slack,
    earlier: slack,
  });
  return isSame ? undefined : "another moment";
}

function keyOf(oid: string, { name }: GivenColumn, session = 0): string {
  return `${session} ${oid} ${name}`;
}

const decoder = new TextDecoder();
const encoder = new TextEncoder();
