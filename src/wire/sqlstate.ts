/**
 * An SQLSTATE as a number: five characters of `0-9A-Z`, base 36, so that it
 * fits in a record's word. 0 stands for none; an ill-formed one is
 * {@linkcode INVALID_SQLSTATE}.
 */
export type PackedSqlstate = number;

/** More than `ZZZZZ`: an error that came without a proper SQLSTATE. */
export const INVALID_SQLSTATE: PackedSqlstate = 36 ** 5;

// Manual chapter "Error and Notice Message Fields".
const FIELD_SQLSTATE = 0x43; // C
const FIELD_SEVERITY = 0x56; // V, not localized

/** Packs the five bytes at `at`. */
export function packSqlstate(bytes: Uint8Array, at: number): PackedSqlstate {
  let packed = 0;
  for (let i = at; i < at + 5; i++) {
    const byte = bytes[i] ?? 0;
    const digit = byte >= 0x30 && byte <= 0x39
      ? byte - 0x30
      : byte >= 0x41 && byte <= 0x5a
      ? byte - 0x37
      : -1;
    if (digit < 0) return INVALID_SQLSTATE;
    packed = packed * 36 + digit;
  }
  return packed;
}

/** The five characters again; `?????` for {@linkcode INVALID_SQLSTATE}. */
export function unpackSqlstate(packed: PackedSqlstate): string {
  if (packed >= INVALID_SQLSTATE) return "?????";
  return packed.toString(36).toUpperCase().padStart(5, "0");
}

/** The SQLSTATE of an ErrorResponse or NoticeResponse body. */
export function sqlstateOf(body: Uint8Array, length: number): PackedSqlstate {
  const at = fieldStart(body, length, FIELD_SQLSTATE);
  return at >= 0 && body[at + 5] === 0
    ? packSqlstate(body, at)
    : INVALID_SQLSTATE;
}

/** Whether an ErrorResponse ends the session: severity FATAL or PANIC. */
export function isFatal(body: Uint8Array, length: number): boolean {
  const letter = body[fieldStart(body, length, FIELD_SEVERITY)];
  return letter === 0x46 || letter === 0x50; // F, P
}

/** Where the field's text begins; -1 if it is missing or cut off. */
function fieldStart(body: Uint8Array, length: number, field: number): number {
  let at = 0;
  while (at < length && body[at] !== 0) {
    const end = body.indexOf(0, at + 1);
    if (end < 0 || end >= length) return -1;
    if (body[at] === field) return at + 1;
    at = end + 1;
  }
  return -1;
}

/** Packs a literal such as `"57014"`, for constants. */
export function sqlstate(code: string): PackedSqlstate {
  return packSqlstate(new TextEncoder().encode(code), 0);
}
