import { tokens } from "../sql/mod.ts";
import type { PreparedInsert } from "./prepared_inserts.ts";

/**
 * The types that a Parse message declares, those added that a query in another
 * one would take for text: of a parameter that goes into a column as it is.
 *
 * @param bytes the text is in `bytes[from, to)`, the types up to `end`.
 * @returns from their number on; undefined: of a parameter that stands elsewhere, too, something else decides.
 */
export function declaredTypes(
  bytes: Uint8Array<ArrayBuffer>,
  from: number,
  to: number,
  end: number,
  { insertion, given }: PreparedInsert,
): Uint8Array<ArrayBuffer> | undefined {
  const wanted = insertion?.outputs?.parameters ?? new Map();
  if (wanted.size === 0) return bytes.slice(to + 1, end);
  const view = new DataView(bytes.buffer, bytes.byteOffset, end);
  const count = view.getUint16(to + 1);
  const types = Array.from(
    { length: count },
    (_, i) => view.getUint32(to + 3 + 4 * i),
  );
  const uses = parametersIn(bytes, from, to);
  for (const [place, number] of wanted) {
    if ((types[number - 1] ?? 0) !== 0) continue;
    const type = given.types.get(insertion?.columns[place] ?? "");
    const isOnly = uses.filter((one) => one === number).length === 1;
    if (type === undefined || !isOnly) return undefined;
    while (types.length < number) types.push(0);
    types[number - 1] = type.oid;
  }
  const written = new DataView(new ArrayBuffer(2 + 4 * types.length));
  written.setUint16(0, types.length);
  types.forEach((oid, i) => written.setUint32(2 + 4 * i, oid));
  return new Uint8Array(written.buffer);
}

const decoder = new TextDecoder();

function parametersIn(
  bytes: Uint8Array,
  from: number,
  to: number,
): readonly number[] {
  return [...tokens(bytes, from, to)].flatMap(({ kind, start, end }) =>
    kind === "parameter"
      ? [Number(decoder.decode(bytes.slice(start + 1, end)))]
      : []
  );
}
