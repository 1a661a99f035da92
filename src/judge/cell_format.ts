/**
 * Whether a number or a time is in its binary format. A statement is described
 * before a Bind asks for the format of its results: only the bytes tell. Text
 * of these types is in printable ASCII.
 */
export function isUnprintable(cell: Uint8Array): boolean {
  return cell.some((byte) => byte < 0x20 || byte > 0x7e);
}
