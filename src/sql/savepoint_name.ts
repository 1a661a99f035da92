/** In the place of a column: the name of a savepoint. No column has such a name. */
export const SAVEPOINT_NAME = "\0savepoint";
/** Bytes of a text that is looked at. */
const MAX_BYTES = 200;
const decoder = new TextDecoder("latin1");

/** The savepoint that the only statement in `bytes[from, to)` names, a character for each byte; undefined: none. A shape has the name of the first that came. */
export function savepointName(
  bytes: Uint8Array,
  from: number,
  to: number,
): string | undefined {
  const text = decoder.decode(
    bytes.slice(from, Math.min(to, from + MAX_BYTES)),
  );
  const [, quoted, plain] = SAVEPOINT.exec(text) ?? [];
  return quoted?.replaceAll('""', '"') ?? plain?.toLowerCase();
}

const SAVEPOINT =
  /^\s*(?:savepoint|release(?:\s+savepoint)?|rollback(?:\s+(?:work|transaction))?\s+to(?:\s+savepoint)?)\s+(?:"((?:[^"]|"")+)"|([^\s;"]+))\s*;?\s*$/i;
