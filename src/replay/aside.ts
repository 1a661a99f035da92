import { BIND, CLOSE, concat, EXECUTE, messageOf, PARSE } from "../wire/mod.ts";

/**
 * What a lane says to its mirror of its own accord: so that the mirror rolls
 * back what the primary did, or to ask it something. In the extended protocol
 * with names that are closed at once: a Query would take the client's unnamed
 * statement and portal away.
 */
const NAME = "pgdog_mirror";

/** Begins a block. What a deferred constraint refuses at COMMIT is refused at the statement's end: no COMMIT comes. */
export const BEGIN_BLOCK: Uint8Array<ArrayBuffer> = concat([
  command("BEGIN"),
  command("SET CONSTRAINTS ALL IMMEDIATE"),
]);

export const ROLLBACK_BLOCK: Uint8Array<ArrayBuffer> = command("ROLLBACK");

export const COMMIT_BLOCK: Uint8Array<ArrayBuffer> = command("COMMIT");

/** Makes a block fail, back to its last savepoint if it has one; the mirror logs it in these words. */
export const FAIL_BLOCK: Uint8Array<ArrayBuffer> = messageOf(
  EXECUTE,
  "(this block has failed on the primary)\0\0\0\0\0",
);

/** One statement; the values of its rows come as text. */
export function command(text: string): Uint8Array<ArrayBuffer> {
  return concat([
    messageOf(PARSE, `${NAME}\0${text}\0\0\0`),
    messageOf(BIND, `${NAME}\0${NAME}\0\0\0\0\0\0\0`),
    messageOf(EXECUTE, `${NAME}\0\0\0\0\0`),
    messageOf(CLOSE, `P${NAME}\0`),
    messageOf(CLOSE, `S${NAME}\0`),
  ]);
}
