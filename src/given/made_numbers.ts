/**
 * By an integer type, as the catalog writes it, the middle of its positive
 * numbers: sequences rarely come so far. From there on are numbers that were
 * made for rows of which nobody knows what the primary's sequence gave.
 */
export const MADE_FROM: ReadonlyMap<string, bigint> = new Map([
  ['"pg_catalog"."int2"', 1n << 14n],
  ['"pg_catalog"."int4"', 1n << 30n],
  ['"pg_catalog"."int8"', 1n << 62n],
]);
