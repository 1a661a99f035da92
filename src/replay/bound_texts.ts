const decoder = new TextDecoder();

/**
 * The values that a Bind message gives to parameters, read as text.
 *
 * @param bytes its body in `bytes[from, to)`: names of portal and statement,
 *   formats, then the values (manual, "Message Formats").
 * @returns undefined for a NULL, and of a message that is cut off for all values.
 */
export function boundTexts(
  bytes: Uint8Array,
  from: number,
  to: number,
): readonly (string | undefined)[] {
  const values: (string | undefined)[] = [];
  const view = new DataView(bytes.buffer, bytes.byteOffset, to);
  try {
    let at = bytes.indexOf(0, from) + 1;
    at = bytes.indexOf(0, at) + 1;
    at += 2 + 2 * view.getInt16(at);
    const count = view.getInt16(at);
    at += 2;
    for (let i = 0; i < count; i++) {
      const length = view.getInt32(at);
      at += 4;
      if (at + length > to) return [];
      values.push(
        length < 0 ? undefined : decoder.decode(bytes.slice(at, at + length)),
      );
      at += Math.max(0, length);
    }
  } catch {
    return [];
  }
  return values;
}
