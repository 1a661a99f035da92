import { concat, int16, int32, message } from "../wire_client.ts";

const encoder = new TextEncoder();

/** A parameter of Bind: text, bytes for the binary format, or null. */
export type Parameter = string | Uint8Array | null;

export interface BindOptions {
  readonly portal: string;
  readonly statement: string;
  readonly parameters: readonly Parameter[];
  /** Result formats: none, one for all, or one for each column. */
  readonly formats: readonly number[];
}

export function parse(
  statement: string,
  sql: string,
  types: readonly number[] = [],
): Uint8Array {
  return message(
    "P",
    `${statement}\0${sql}\0`,
    int16(types.length),
    ...types.map(int32),
  );
}

export function bind(options: BindOptions): Uint8Array {
  const { portal, statement, parameters, formats } = options;
  const codes = parameters.map((p) => int16(p instanceof Uint8Array ? 1 : 0));
  return message(
    "B",
    `${portal}\0${statement}\0`,
    int16(codes.length),
    ...codes,
    int16(parameters.length),
    ...parameters.map(value),
    int16(formats.length),
    ...formats.map(int16),
  );
}

export function execute(portal: string, rows: number): Uint8Array {
  return message("E", `${portal}\0`, int32(rows));
}

/** @param kind `S` for a statement, `P` for a portal. */
export function describe(kind: string, name: string): Uint8Array {
  return message("D", `${kind}${name}\0`);
}

/** @param kind `S` for a statement, `P` for a portal. */
export function close(kind: string, name: string): Uint8Array {
  return message("C", `${kind}${name}\0`);
}

export const flush = (): Uint8Array => message("H");
export const copyData = (data: string | Uint8Array): Uint8Array =>
  message("d", data);
export const copyDone = (): Uint8Array => message("c");
export const copyFail = (why: string): Uint8Array => message("f", `${why}\0`);

/** FunctionCall of the function with this oid, result in text. */
export function functionCall(
  oid: number,
  parameters: readonly Parameter[],
): Uint8Array {
  const codes = parameters.map((p) => int16(p instanceof Uint8Array ? 1 : 0));
  return message(
    "F",
    int32(oid),
    int16(codes.length),
    ...codes,
    int16(parameters.length),
    ...parameters.map(value),
    int16(0),
  );
}

function value(parameter: Parameter): Uint8Array {
  if (parameter === null) return int32(-1);
  const bytes = typeof parameter === "string"
    ? encoder.encode(parameter)
    : parameter;
  return concat([int32(bytes.length), bytes]);
}
