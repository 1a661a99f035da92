import { BIND, Framer, QUERY } from "../wire/mod.ts";

const decoder = new TextDecoder();
/** Bound in characters of what an example keeps. */
const MAX_LENGTH = 1_000;

/**
 * A transaction's statements as the client sent them, and the parameters that
 * it bound, for `mirror_examples = "clear"`.
 */
export function exampleValues(bytes: Uint8Array): string {
  const framer = new Framer();
  const parts: string[] = [];
  let length = 0;
  const add = (part: string) => {
    parts.push(part);
    length += part.length + 1;
  };
  // Of a batch of many thousand statements the first ones are enough.
  for (let at = 0; at < bytes.length && length <= MAX_LENGTH;) {
    at = framer.step(bytes, at, bytes.length);
    if (!framer.finished) break;
    const body = bytes.subarray(framer.bodyStart, at);
    if (framer.type === QUERY) add(text(body.subarray(0, -1)));
    else if (framer.type === BIND) {
      add(`[${parameters(body).join(", ")}]`);
    }
  }
  return parts.join("\n").slice(0, MAX_LENGTH);
}

/** The parameters of a Bind message: portal, statement, formats, then the values. */
function parameters(body: Uint8Array): string[] {
  const view = new DataView(body.buffer, body.byteOffset, body.length);
  const values: string[] = [];
  try {
    let at = body.indexOf(0) + 1;
    at = body.indexOf(0, at) + 1;
    const formats = view.getInt16(at);
    const isText = (i: number) =>
      formats === 0 ||
      view.getInt16(at + 2 + 2 * (formats === 1 ? 0 : i)) === 0;
    let value = at + 2 + 2 * formats;
    const count = view.getInt16(value);
    value += 2;
    for (let i = 0; i < count; i++) {
      const length = view.getInt32(value);
      value += 4;
      if (length < 0) values.push("NULL");
      else {
        const bytes = body.subarray(value, value + length);
        values.push(isText(i) ? text(bytes) : `(${length} bytes)`);
        value += length;
      }
    }
  } catch {
    values.push("(cut off)");
  }
  return values;
}

function text(bytes: Uint8Array): string {
  return decoder.decode(bytes.slice(0, MAX_LENGTH));
}
