import { MAX_TEXT } from "./analyze.ts";
import { dangerOfKind } from "./danger.ts";
import { fingerprintOfText } from "./fingerprint.ts";
import { literalFreeText } from "./literal_free_text.ts";
import { OTHER_SHAPE, type Shape, type StatementKind } from "./shape.ts";
import { kindOfFunctionOid } from "./unsafe_kinds.ts";

/** What is read of a text too large to be parsed, in bytes. */
export const HEAD_BYTES = 4_096;

/**
 * The shape of a text that the parser refuses, or is not asked about: known by
 * its tokens alone. Syntax that an upgrade removes is of this kind.
 *
 * @param bytes SQL text in `bytes[from, to)`.
 */
export function unparsedShape(
  bytes: Uint8Array,
  from: number,
  to: number,
): Shape {
  return named(literalFreeText(bytes, from, to));
}

/** The shape of a text of which only the head in `bytes[from, to)` is read. */
export function headShape(bytes: Uint8Array, from: number, to: number): Shape {
  // Where the head ends, a list or a row has been cut.
  const whole = literalFreeText(bytes, from, to)
    .replace(/(?:[\s,(…]|\$\d+)+$/, "");
  return named(`${whole} … (too large to be parsed)`);
}

/** The shape of a FunctionCall message. */
export function functionShape(oid: number): Shape {
  const name = LARGE_OBJECT_FUNCTIONS[oid];
  const shape = named(`(function call) ${name ?? `of OID ${oid}`}`);
  const kind = kindOfFunctionOid(oid);
  return kind === undefined ? shape : { ...shape, danger: dangerOfKind(kind) };
}

function named(text: string): Shape {
  return {
    ...OTHER_SHAPE,
    fingerprint: fingerprintOfText(text),
    text: text.slice(0, MAX_TEXT),
    kind: KINDS.get(/^[a-z]+/.exec(text)?.[0] ?? "") ?? "other",
  };
}

/** What the first word says of a statement. */
const KINDS: ReadonlyMap<string, StatementKind> = new Map([
  ["insert", "dml"],
  ["update", "dml"],
  ["delete", "dml"],
  ["merge", "dml"],
  ["alter", "ddl"],
  ["create", "ddl"],
  ["drop", "ddl"],
  ["truncate", "ddl"],
]);

/** The only functions that libpq calls by message (`pg_proc.dat`, "large objects"). */
const LARGE_OBJECT_FUNCTIONS: Readonly<Record<number, string>> = {
  715: "lo_create",
  952: "lo_open",
  953: "lo_close",
  954: "loread",
  955: "lowrite",
  956: "lo_lseek",
  957: "lo_creat",
  958: "lo_tell",
  964: "lo_unlink",
  1004: "lo_truncate",
  3170: "lo_lseek64",
  3171: "lo_tell64",
  3172: "lo_truncate64",
};
