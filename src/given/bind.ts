/** Parameters of one statement (an int16 in Bind). */
export const MAX_PARAMETERS = 65_535;
const decoder = new TextDecoder();

/** A Bind message's parts, as offsets into its bytes (manual, "Message Formats"). */
export interface Bind {
  readonly portal: string;
  readonly statement: string;
  /** Of the number of parameter formats, which stand behind it. */
  readonly formatsAt: number;
  readonly formats: number;
  /** Of the number of parameters. */
  readonly parametersAt: number;
  readonly parameters: number;
  /** Of the number of result formats, which stand behind it. */
  readonly resultsAt: number;
  /** Of each output column 1 for binary, 0 for text; one is for all, none is text. */
  readonly resultFormats: readonly number[];
}

/** A value that a Bind message gains; undefined: NULL. */
export interface AddedParameter {
  readonly value: Uint8Array | undefined;
  readonly isBinary: boolean;
}

/**
 * Reads a Bind message's body, `bytes[from, to)`.
 *
 * @returns undefined if it is malformed: the servers will say so.
 */
export function readBind(
  bytes: Uint8Array,
  from: number,
  to: number,
): Bind | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, to);
  try {
    const portalEnd = bytes.indexOf(0, from);
    const statementEnd = bytes.indexOf(0, portalEnd + 1);
    const formatsAt = statementEnd + 1;
    const formats = view.getUint16(formatsAt);
    const parametersAt = formatsAt + 2 + 2 * formats;
    const parameters = view.getUint16(parametersAt);
    if (formats > 1 && formats !== parameters) return undefined;
    let at = parametersAt + 2;
    for (let i = 0; i < parameters; i++) {
      at += 4 + Math.max(0, view.getInt32(at));
    }
    const results = view.getUint16(at);
    if (at + 2 + 2 * results !== to) return undefined;
    return {
      portal: decoder.decode(bytes.slice(from, portalEnd)),
      statement: decoder.decode(bytes.slice(portalEnd + 1, statementEnd)),
      formatsAt,
      formats,
      parametersAt,
      parameters,
      resultsAt: at,
      resultFormats: Array.from(
        { length: results },
        (_, i) => view.getUint16(at + 2 + 2 * i),
      ),
    };
  } catch {
    // Behind the end of the message.
    return undefined;
  }
}

/** Whether an output column comes in binary. */
export function isBinaryOutput(
  { resultFormats }: Pick<Bind, "resultFormats">,
  column: number,
): boolean {
  const [first = 0] = resultFormats;
  return (resultFormats.length > 1 ? resultFormats[column] : first) === 1;
}

/** The body of a Bind message with more parameters behind its own. @param from its body's start in `bytes`, which ends at `to`. */
export function withParameters(
  bytes: Uint8Array,
  from: number,
  to: number,
  { formatsAt, formats, parametersAt, parameters, resultsAt }: Bind,
  added: readonly AddedParameter[],
): Uint8Array {
  const count = parameters + added.length;
  const sizes = added.reduce(
    (sum, one) => sum + 4 + (one.value?.length ?? 0),
    0,
  );
  const head = formatsAt - from;
  const values = resultsAt - parametersAt - 2;
  const body = new Uint8Array(
    head + 2 + 2 * count + 2 + values + sizes + (to - resultsAt),
  );
  const view = new DataView(body.buffer);
  body.set(bytes.subarray(from, formatsAt));
  let at = head;
  const word = (value: number) => {
    view.setUint16(at, value);
    at += 2;
  };
  const old = new DataView(bytes.buffer, bytes.byteOffset, to);
  word(count);
  for (let i = 0; i < parameters; i++) {
    const place = formats === 1 ? 0 : i;
    word(place < formats ? old.getUint16(formatsAt + 2 + 2 * place) : 0);
  }
  for (const { isBinary } of added) word(isBinary ? 1 : 0);
  word(count);
  body.set(bytes.subarray(parametersAt + 2, resultsAt), at);
  at += values;
  for (const { value } of added) {
    view.setInt32(at, value?.length ?? -1);
    at += 4;
    if (value === undefined) continue;
    body.set(value, at);
    at += value.length;
  }
  body.set(bytes.subarray(resultsAt, to), at);
  return body;
}
