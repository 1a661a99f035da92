import { type Raw, raw, type Value } from "./statement.ts";

/**
 * What makes ids, tokens and times: the server by defaults; the server ids
 * only, as with Django, SQLAlchemy and Rails; or the client all of them.
 */
export const WAYS = ["server", "ids", "client"] as const;
export type Way = typeof WAYS[number];

/** What a client makes itself; undefined is the server's to make. */
export interface Maker {
  id(): string | undefined;
  token(): string | undefined;
  time(): string | undefined;
  /** The time for an UPDATE. */
  now(): Value | Raw;
}

/** Where a client's clock starts: the same in each run. */
const START_MS = Date.UTC(2030, 0, 1);
/** Between two readings of one client's clock; in between are the other clients. */
const TICK_MS = 100;

export function makerOf(
  way: Way,
  client: number,
  random: () => number,
): Maker {
  let ticks = 0;
  const time = () =>
    new Date(START_MS + TICK_MS * ticks++ + client).toISOString();
  return {
    id: () => way === "client" ? uuid(random) : undefined,
    token: () => way === "server" ? undefined : uuid(random),
    time: () => way === "server" ? undefined : time(),
    now: () => way === "server" ? raw("now()") : time(),
  };
}

/** A UUID of version 4 (RFC 9562). */
function uuid(random: () => number): string {
  const hex = Array.from({ length: 32 }, () => Math.floor(random() * 16));
  hex[12] = 4;
  hex[16] = 8 + (hex[16] ?? 0) % 4;
  return hex.map((digit) => digit.toString(16)).join("")
    .replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}
