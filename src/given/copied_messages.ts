import { BIND, CLOSE, messageOf, PARSE, QUERY } from "../wire/mod.ts";
import type { Bind } from "./bind.ts";
import type { ClientMessage } from "./client_messages.ts";
import type { CopyWithValues } from "./copy_rewriter.ts";
import type { GivenColumns } from "./given_columns.ts";

/** What stands in the place of a message, and of those behind it up to `end`. */
export interface Written {
  readonly bytes: readonly Uint8Array[];
  readonly given?: GivenColumns | undefined;
  readonly end?: number;
  /** How many messages are added in front of it. */
  readonly added?: number;
}

/** A COPY as the mirror gets it, and what it is given; undefined: nothing of the primary's. */
export interface GivenCopy extends CopyWithValues {
  readonly given: GivenColumns | undefined;
}

/** A COPY that is prepared is written anew with each execution, under this name. */
const NAME = "pgdog_mirror_copy\0";

/** A COPY in a Query. */
export function copyByQuery(
  bytes: Uint8Array,
  { end }: ClientMessage,
  { text, from, data, ...copy }: GivenCopy,
): Written {
  const between = bytes.subarray(end, from);
  return { ...copy, bytes: [messageOf(QUERY, text, "\0"), between, data] };
}

/** A COPY that a Bind makes ready: the portal is of a statement of our own. */
export function copyByBind(
  bytes: Uint8Array,
  { body, end }: ClientMessage,
  { formatsAt }: Bind,
  { text, from, data, ...copy }: GivenCopy,
): Written {
  const portal = bytes.subarray(body, bytes.indexOf(0, body) + 1);
  return {
    ...copy,
    bytes: [
      messageOf(CLOSE, "S", NAME),
      messageOf(PARSE, NAME, text, "\0\0\0"),
      messageOf(BIND, portal, NAME, bytes.subarray(formatsAt, end)),
      bytes.subarray(end, from),
      data,
    ],
    added: 2,
  };
}
