import { encodeBase64, ScramError } from "./scram_attributes.ts";
import { equalBytes } from "./scram_keys.ts";

export const SCRAM_SHA_256 = "SCRAM-SHA-256";
/** The login is bound to its TLS connection (RFC 5802, section 6). */
export const SCRAM_SHA_256_PLUS = "SCRAM-SHA-256-PLUS";
export type ScramMechanism = typeof SCRAM_SHA_256 | typeof SCRAM_SHA_256_PLUS;

/** The only kind of binding that PostgreSQL knows (RFC 5929, section 4). */
const BINDING_FLAG = "p=tls-server-end-point";

const encoder = new TextEncoder();

/** What client-first-message begins with, and what must come of it. */
export interface Gs2Header {
  /** Up to the second comma. */
  readonly text: string;
  readonly bound: boolean;
  /** The attribute "c" of client-final-message: the header and, if bound, the certificate's hash behind it. */
  readonly binding: string;
}

/**
 * Reads the GS2 header (RFC 5802, section 7). Its flag must fit the mechanism,
 * as PostgreSQL sees it (auth-scram.c): `p=tls-server-end-point` with PLUS and
 * with nothing else; `n`, the client does not bind; `y`, it would if it were
 * offered to, which is refused where it was. No other identity than the user's
 * own is taken.
 *
 * @param certificateHash undefined: PLUS was not offered.
 * @throws {ScramError}
 */
export function readGs2Header(
  parts: readonly string[],
  mechanism: ScramMechanism,
  certificateHash: Uint8Array | undefined,
  what: string,
): Gs2Header {
  const [flag = "", identity = ""] = parts;
  const plus = mechanism === SCRAM_SHA_256_PLUS;
  const bound = flag.startsWith("p=");
  if (!bound && flag !== "n" && flag !== "y") {
    throw new ScramError(
      "malformed",
      `${what} has an unknown channel-binding flag`,
    );
  }
  if (bound && (!plus || certificateHash === undefined)) {
    throw new ScramError(
      "unsupported",
      `${what} asks for channel binding, which its mechanism does not have`,
      "p",
    );
  }
  if (bound && flag !== BINDING_FLAG) {
    throw new ScramError(
      "unsupported",
      `${what} asks for an unsupported kind of channel binding`,
      "p",
    );
  }
  if (plus && !bound) {
    throw new ScramError(
      "malformed",
      `${what} has no channel binding, but its mechanism has`,
      "p",
    );
  }
  if (flag === "y" && certificateHash !== undefined) {
    // Somebody between the two has taken it out of the list.
    throw new ScramError(
      "binding",
      `SCRAM channel binding negotiation error: the client was not told of ${SCRAM_SHA_256_PLUS}, which was offered`,
      "y",
    );
  }
  if (identity !== "") {
    throw new ScramError(
      "unsupported",
      `${what} has an authorization identity, which is not supported`,
      "a",
    );
  }
  const text = `${flag},,`;
  const hash = bound && certificateHash ? certificateHash : [];
  const binding = encodeBase64(
    new Uint8Array([...encoder.encode(text), ...hash]),
  );
  return { text, bound, binding };
}

/** @throws {ScramError} if `given` is not what the header led to. */
export function checkBinding(
  header: Gs2Header,
  given: string,
  what: string,
): void {
  if (equalBytes(encoder.encode(given), encoder.encode(header.binding))) return;
  throw header.bound
    ? new ScramError(
      "binding",
      "SCRAM channel binding check failed: the client sees another certificate than ours",
      "c",
    )
    : new ScramError(
      "malformed",
      `${what} has a channel binding that is not its GS2 header`,
      "c",
    );
}
