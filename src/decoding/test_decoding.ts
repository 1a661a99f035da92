import { relationKey } from "../sql/mod.ts";

/**
 * What the output plugin test_decoding writes (contrib/test_decoding), a line
 * for each row that it gives: a line may hold newlines, for values may.
 *
 * ```
 * BEGIN 728
 * table public.orders: INSERT: id[bigint]:1 "Note"[text]:'it''s' at[…]:'2026-…'
 * table public.orders: UPDATE: old-key: id[bigint]:1 new-tuple: id[bigint]:2 …
 * table public.orders: DELETE: id[bigint]:2
 * table public.a, public.b: TRUNCATE: restart_seqs cascade
 * COMMIT 728 (at 2026-11-28 06:00:00.123456+00)
 * ```
 *
 * @module
 */

/** A value as the type's output function writes it; null: NULL. */
export type DecodedValue = string | null;

/** A row by column; of a value that was not changed, and lies beside the row (TOAST), nothing is told. */
export type DecodedRow = ReadonlyMap<string, DecodedValue>;

/** One row that was written, or one relation that was emptied. */
export interface DecodedChange {
  readonly kind: "insert" | "update" | "delete" | "truncate";
  /** The relation's key, with its schema. */
  readonly relation: string;
  /** The new row; of a DELETE the old one's key. As it was written: few are looked at. */
  readonly text: string;
}

/** A line that was understood. */
export type DecodedLine =
  | { readonly type: "begin" }
  /** @property committedUs by the server's clock, since 1970. */
  | { readonly type: "commit"; readonly committedUs: number }
  | { readonly type: "changes"; readonly changes: readonly DecodedChange[] }
  /** Written by pg_logical_emit_message(). */
  | { readonly type: "message" };

/** The text of a change whose row is not told. */
export const NOT_TOLD = " (no-tuple-data)";

const KINDS: Readonly<Record<string, DecodedChange["kind"]>> = {
  INSERT: "insert",
  UPDATE: "update",
  DELETE: "delete",
};

/** @returns undefined if the line is not one of the plugin's, or was cut off within its head. */
export function decodedLine(line: string): DecodedLine | undefined {
  if (/^BEGIN(?: \d+)?$/.test(line)) return { type: "begin" };
  const [, date, time, micros = ""] = COMMIT.exec(line) ?? [];
  if (date !== undefined) {
    const second = Date.parse(`${date}T${time}Z`) * 1e3;
    const committedUs = second + Number(micros.padEnd(6, "0"));
    return { type: "commit", committedUs };
  }
  if (line.startsWith("message: ")) return { type: "message" };
  if (!line.startsWith("table ")) return undefined;
  const scanner = new Scanner(line, "table ".length);
  const relations: string[] = [];
  do {
    const schema = scanner.name();
    const name = scanner.take(".") ? scanner.name() : undefined;
    if (schema === undefined || name === undefined) return undefined;
    relations.push(relationKey(schema, name));
  } while (scanner.take(", "));
  const rest = line.slice(scanner.at);
  if (rest.startsWith(": TRUNCATE: ")) {
    return {
      type: "changes",
      changes: relations.map((relation) => ({
        kind: "truncate",
        relation,
        text: "",
      })),
    };
  }
  const [head, word = ""] = /^: ([A-Z]+):/.exec(rest) ?? [];
  const kind = KINDS[word];
  const [relation, other] = relations;
  if (
    head === undefined || kind === undefined || relation === undefined ||
    other !== undefined
  ) return undefined;
  const text = rest.slice(head.length);
  return { type: "changes", changes: [{ kind, relation, text }] };
}

/** With TimeZone = UTC. */
const COMMIT =
  /^COMMIT(?: \d+)? \(at (\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d)(?:\.(\d{1,6}))?\+00\)$/;

/**
 * The row of a change.
 *
 * @returns undefined if it is not told, or not understood to its end.
 */
export function decodedRow({ text }: DecodedChange): DecodedRow | undefined {
  if (text === NOT_TOLD) return undefined;
  const scanner = new Scanner(text, 0);
  if (scanner.take(" old-key:")) {
    // It tells the old values of a key that has others now.
    if (columnsOf(scanner) === undefined) return undefined;
    if (!scanner.take(" new-tuple:")) return undefined;
  }
  const row = columnsOf(scanner);
  return scanner.at === text.length ? row : undefined;
}

function columnsOf(scanner: Scanner): DecodedRow | undefined {
  const row = new Map<string, DecodedValue>();
  while (!scanner.isEnd && !scanner.is(" new-tuple:")) {
    const name = scanner.take(" ") ? scanner.name() : undefined;
    if (name === undefined || !scanner.type() || !scanner.take(":")) {
      return undefined;
    }
    if (scanner.take("unchanged-toast-datum")) continue;
    const value = scanner.value();
    if (value === undefined) return undefined;
    row.set(name, value);
  }
  return row;
}

/** Reads a line's parts, one behind the other. */
class Scanner {
  readonly #text: string;
  at: number;

  constructor(text: string, at: number) {
    this.#text = text;
    this.at = at;
  }

  get isEnd(): boolean {
    return this.at === this.#text.length;
  }

  is(text: string): boolean {
    return this.#text.startsWith(text, this.at);
  }

  take(text: string): boolean {
    const isNext = this.is(text);
    if (isNext) this.at += text.length;
    return isNext;
  }

  /** An identifier, as quote_identifier() writes it. */
  name(): string | undefined {
    const [found, plain, quoted] = this.#match(NAME);
    if (found === undefined) return undefined;
    return plain ?? quoted?.replaceAll('""', '"');
  }

  /** `[integer[]]`, `["My]Type"]`. */
  type(): boolean {
    return this.#match(TYPE)[0] !== undefined;
  }

  /** Quoted, or a number, a boolean, bits, null. */
  value(): DecodedValue | undefined {
    const [found, quoted, bits, plain] = this.#match(VALUE);
    if (found === undefined) return undefined;
    if (plain === "null") return null;
    return quoted?.replaceAll("''", "'") ?? bits ?? plain;
  }

  #match(pattern: RegExp): readonly (string | undefined)[] {
    pattern.lastIndex = this.at;
    const found = pattern.exec(this.#text);
    if (found === null) return [];
    this.at = pattern.lastIndex;
    return found;
  }
}

const NAME = /([a-z_][a-z0-9_]*)|"((?:[^"]|"")+)"/y;
/** One array's brackets within; others stand in quotes. */
const TYPE = /\[(?:[^\]["]|\[\]|"(?:[^"]|"")*")+\]/y;
const VALUE = /'((?:[^']|'')*)'(?=$| )|B'([01]*)'(?=$| )|([^' ]+)(?=$| )/y;
