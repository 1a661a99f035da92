// @ts-types="@types/pg"
import pg from "pg";

export type Value = string | number | boolean | null;

/** SQL that stands in a text as it is. */
export interface Raw {
  readonly raw: string;
}

/** A statement before a protocol decides how its values travel. */
export interface Statement {
  /** What stands between the values: one more than there are values. */
  readonly texts: readonly string[];
  readonly values: readonly Value[];
}

/** Columns of a new row; a column that is undefined is the server's to make. */
export type NewRow = Readonly<Record<string, Value | Raw | undefined>>;

/** ``sql`select * from t where id = ${id}` ``. */
export function sql(
  strings: TemplateStringsArray,
  ...parts: readonly (Value | Raw)[]
): Statement {
  return joined([...strings], parts);
}

export function raw(text: string): Raw {
  return { raw: text };
}

/** An INSERT that gives back what the server makes. */
export function insertReturning(table: string, row: NewRow): Statement {
  const made = Object.keys(row).filter((name) => row[name] === undefined);
  return insert(
    table,
    row,
    made.length > 0 ? ` returning ${made.join(", ")}` : "",
  );
}

/** An INSERT that gives nothing back. */
export function insert(table: string, row: NewRow, end = ""): Statement {
  const known = Object.entries(row).flatMap(([name, value]) =>
    value === undefined ? [] : [{ name, value }]
  );
  const names = known.map(({ name }) => name).join(", ");
  return joined(
    [
      `insert into ${table} (${names}) values (`,
      ...known.slice(1).map(() => ", "),
      `)${end}`,
    ],
    known.map(({ value }) => value),
  );
}

/** The text with `$1`, `$2`, … for the values. */
export function withParameters({ texts }: Statement): string {
  return texts.reduce((all, text, i) => `${all}$${i}${text}`);
}

/** The text with the values in it. */
export function withLiterals({ texts, values }: Statement): string {
  return texts.reduce((all, text, i) =>
    `${all}${literal(values[i - 1] ?? null)}${text}`
  );
}

function literal(value: Value): string {
  return typeof value === "string" ? pg.escapeLiteral(value) : String(value);
}

function joined(
  texts: readonly string[],
  parts: readonly (Value | Raw)[],
): Statement {
  const result = [texts[0] ?? ""];
  const values: Value[] = [];
  parts.forEach((part, i) => {
    const next = texts[i + 1] ?? "";
    if (part !== null && typeof part === "object") {
      result.push(`${result.pop()}${part.raw}${next}`);
    } else {
      values.push(part);
      result.push(next);
    }
  });
  return { texts: result, values };
}
