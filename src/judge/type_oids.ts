/**
 * Types by OID (catalog/pg_type.dat) whose values the judge reads.
 *
 * @module
 */

export const BOOL = 16;
export const BYTEA = 17;
export const INT8 = 20;
export const INT2 = 21;
export const INT4 = 23;
export const TEXT = 25;
export const OID = 26;
export const JSON_TYPE = 114;
export const XML = 142;
export const FLOAT4 = 700;
export const FLOAT8 = 701;
export const BPCHAR = 1_042;
export const VARCHAR = 1_043;
export const DATE = 1_082;
export const TIME = 1_083;
export const TIMESTAMP = 1_114;
export const TIMESTAMPTZ = 1_184;
export const INTERVAL = 1_186;
export const TIMETZ = 1_266;
export const NUMERIC = 1_700;
export const JSONB = 3_802;

export const TIMES: ReadonlySet<number> = new Set([
  DATE,
  TIME,
  TIMETZ,
  TIMESTAMP,
  TIMESTAMPTZ,
]);
export const INTEGERS: ReadonlySet<number> = new Set([INT2, INT4, INT8]);
export const NUMBERS: ReadonlySet<number> = new Set([
  ...INTEGERS,
  FLOAT4,
  FLOAT8,
  NUMERIC,
]);
export const TEXTS: ReadonlySet<number> = new Set([TEXT, VARCHAR, BPCHAR, XML]);
