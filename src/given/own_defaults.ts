import { isSameMoment, timeUs } from "../judge/mod.ts";
import type { GivenColumn, GivenColumns } from "./given_columns.ts";
import { nextNumber, numbersAhead, numberText } from "./own_numbers.ts";
import type { ToldRow } from "./told_rows.ts";

/** Columns that were asked for. If there are more, all are asked for anew. */
const MAX_ASKED_COLUMNS = 10_000;
/** Columns that one question asks for: PostgreSQL's bound for a select list is 1,664. */
const MAX_QUESTION_COLUMNS = 100;
/** A clock may be set, and a sequence mended. */
const ASK_AGAIN_US = 60_000_000;
/** So long a transaction may run whose numbers come in behind higher ones. */
const PATIENCE_US = 60_000_000;

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
  /** Whether there is no other client whose lower numbers may still come. */
  readonly isAlone: () => boolean;
}

/** A column whose default the mirror was asked for. */
interface Asked {
  readonly atUs: number;
  /** What the default gave; undefined: not answered yet. Null: it can't be told. */
  own: string | null | undefined;
  /** How far beyond it the next number may be. */
  slack: number;
  /** Nobody else drew from the sequence between the question and the INSERT. */
  readonly isExact: boolean;
  /** Of a sequence. */
  state: "unknown" | "in step" | "behind";
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
}

/**
 * What one mirror would make by itself of the columns that it is given values
 * for. Given values would hide a sequence that is behind (INSERTs fail by it
 * after the move) and a clock that is wrong. So each default is evaluated on the
 * mirror, in the client's own session, and held against what the primary told;
 * a column that is too far off is left to the mirror, and the judge sees it.
 *
 * A sequence is asked once, before the first INSERT: on equal servers it gives
 * what that INSERT was told. Beside other sessions it may have been told a
 * higher number, and the lower ones come later; they have a minute. Once in step
 * it stays there: a given INSERT draws, too.
 */
export class OwnDefaults {
  /** By relation's OID, and column. */
  readonly #asked = new Map<string, Asked>();

  /**
   * What the mirror is to be asked before these INSERTs; undefined: nothing.
   */
  question(
    inserts: readonly SentInsert[],
    nowUs: number,
  ): DefaultsQuestion | undefined {
    const columns: Asked[] = [];
    const items: string[] = [];
    for (const { given: { oid, columns: given }, isExact } of inserts) {
      for (const column of given) {
        if (columns.length === MAX_QUESTION_COLUMNS) break;
        const key = keyOf(oid, column);
        const before = this.#asked.get(key);
        if (!isDue(column, before, nowUs)) continue;
        const asked: Asked = {
          atUs: nowUs,
          own: undefined,
          slack: 0,
          isExact,
          state: before?.state ?? "unknown",
        };
        if (this.#asked.size >= MAX_ASKED_COLUMNS) this.#asked.clear();
        this.#asked.set(key, asked);
        columns.push(asked);
        items.push(itemOf(column));
      }
    }
    if (columns.length === 0) return undefined;
    return { sql: `SELECT ${items.join(", ")}`, columns };
  }

  /** The mirror has answered; undefined: not with one row. */
  answered({ columns }: DefaultsQuestion, row: ToldRow | undefined): void {
    columns.forEach((asked, i) => {
      const [own, slack] = [row?.[2 * i], row?.[2 * i + 1]].map((cell) =>
        cell && decoder.decode(cell.slice())
      );
      asked.own = own ?? null;
      asked.slack = Number(slack ?? 0);
    });
  }

  /** Why the mirror would not have made about the same value by itself; undefined: it would, or nothing is known. */
  objection(
    oid: string,
    column: GivenColumn,
    told: ToldValue,
    nowUs: number,
  ): Objection | undefined {
    const asked = this.#asked.get(keyOf(oid, column));
    if (asked?.own === undefined || asked.state === "in step") return undefined;
    const { own, slack } = asked;
    if (own === null) return "not comparable";
    if (column.nature === "time") {
      return objectionOfClock(told, column, own, asked.atUs);
    }
    const number = numberText(told.value, column.type, told.isBinary);
    const ahead = numbersAhead(number, own);
    if (ahead === undefined) return "not comparable";
    const isLate = nowUs - asked.atUs > PATIENCE_US;
    if (ahead <= slack) asked.state = "in step";
    else if (isLate || asked.isExact && told.isAlone()) asked.state = "behind";
    return asked.state === "behind" ? "behind" : undefined;
  }
}

function isDue(
  { nature, expression }: GivenColumn,
  asked: Asked | undefined,
  nowUs: number,
): boolean {
  // What stands in the client's text is no default.
  if (nature === "chance" || expression === undefined) return false;
  if (asked === undefined) return true;
  const isSettled = nature === "sequence" && asked.own !== null &&
    asked.own !== undefined && asked.state !== "behind";
  return !isSettled && nowUs - asked.atUs > ASK_AGAIN_US;
}

/** The default as two items of a select list. */
function itemOf({ nature, type, expression = "" }: GivenColumn): string {
  const next = nextNumber(expression);
  if (nature === "time") return `((${expression})::${type})::text, NULL`;
  return next === undefined
    ? "NULL, NULL"
    : `((${next.value})::${type})::text, ${next.slack}`;
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

function keyOf(oid: string, { name }: GivenColumn): string {
  return `${oid} ${name}`;
}

const decoder = new TextDecoder();
const encoder = new TextEncoder();
