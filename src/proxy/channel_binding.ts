import {
  AUTH_SASL,
  AUTHENTICATION,
  HEADER_BYTES,
  NEGOTIATE_PROTOCOL_VERSION,
  NOTICE_RESPONSE,
  PASSWORD,
} from "../wire/mod.ts";
import { SCRAM_SHA_256_PLUS as PLUS } from "../wire/scram.ts";

/** Bytes held until the login's first question and its answer are known. */
const MAX_HELD_BYTES = 8_192;

/** The login's first messages are far beyond what any server or client sends. */
export const TOO_LONG = -2;
/** The client asks for channel binding, and must be told that there is none. */
export const BINDING_ASKED = -1;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/**
 * Looks after SCRAM's channel binding in a relayed login whose leg to the
 * primary is encrypted. TLS ends here, so the two ends see different
 * certificates and a bound login can't succeed.
 *
 * - A client in clear can't bind and, with libpq, gives up when it is offered
 *   to: for it `SCRAM-SHA-256-PLUS` is left out of the primary's list, as the
 *   primary itself does on a connection without TLS. SCRAM's flag stays "n",
 *   which the primary accepts.
 * - A client on TLS sees the list as it is. Leaving PLUS out would be the
 *   downgrade that the flag "y" is there to find. If it chooses PLUS it is
 *   refused here, where the reason can be told.
 *
 * Both methods may change `chunk` and return the length that goes on, 0 while
 * bytes are held back until there are more, or one of the codes above.
 */
export class ChannelBinding {
  readonly #clientEncrypted: boolean;
  #held = new Uint8Array(0);
  #asked: "unknown" | "sasl" | "done" = "unknown";

  constructor(clientEncrypted: boolean) {
    this.#clientEncrypted = clientEncrypted;
  }

  /** There is nothing left to look at. */
  get done(): boolean {
    return this.#asked === "done";
  }

  /** `chunk[0, length)` came from the primary. */
  server(chunk: Uint8Array<ArrayBuffer>, length: number): number {
    if (this.#asked !== "unknown") return length;
    if (this.#held.length > MAX_HELD_BYTES) return TOO_LONG;
    const bytes = this.#hold(chunk, length);
    const view = new DataView(bytes.buffer);
    let at = 0;
    while (at + HEADER_BYTES <= bytes.length) {
      const type = bytes[at];
      const end = at + 1 + view.getInt32(at + 1);
      if (type === NEGOTIATE_PROTOCOL_VERSION || type === NOTICE_RESPONSE) {
        if (end <= at) return this.#finish(bytes, chunk);
        at = end;
        continue;
      }
      if (type !== AUTHENTICATION) return this.#finish(bytes, chunk);
      if (bytes.length < end) break;
      if (end < at + 9 || view.getInt32(at + HEADER_BYTES) !== AUTH_SASL) {
        return this.#finish(bytes, chunk);
      }
      if (!this.#clientEncrypted) {
        return this.#finish(withoutPlus(bytes, at, end), chunk);
      }
      this.#asked = "sasl";
      return this.#release(bytes, chunk);
    }
    return 0;
  }

  /** `chunk[0, length)` came from the client. */
  client(chunk: Uint8Array<ArrayBuffer>, length: number): number {
    if (this.#asked !== "sasl") return length;
    const bytes = this.#hold(chunk, length);
    const needed = HEADER_BYTES + PLUS.length + 1;
    if (bytes[0] !== PASSWORD) return this.#finish(bytes, chunk);
    if (bytes.length < HEADER_BYTES) return 0;
    const end = 1 + new DataView(bytes.buffer).getInt32(1);
    if (bytes.length < Math.min(end, needed)) return 0;
    const name = decoder.decode(bytes.subarray(HEADER_BYTES, needed));
    return name === `${PLUS}\0` ? BINDING_ASKED : this.#finish(bytes, chunk);
  }

  #hold(chunk: Uint8Array, length: number): Uint8Array<ArrayBuffer> {
    const bytes = new Uint8Array(this.#held.length + length);
    bytes.set(this.#held);
    bytes.set(chunk.subarray(0, length), this.#held.length);
    this.#held = bytes;
    return bytes;
  }

  #finish(bytes: Uint8Array, chunk: Uint8Array): number {
    this.#asked = "done";
    return this.#release(bytes, chunk);
  }

  #release(bytes: Uint8Array, chunk: Uint8Array): number {
    this.#held = new Uint8Array(0);
    if (bytes.length > chunk.length) return TOO_LONG;
    chunk.set(bytes);
    return bytes.length;
  }
}

/** `bytes` with the AuthenticationSASL message in `[at, end)` offering no PLUS; unchanged if it offers nothing else. */
function withoutPlus(
  bytes: Uint8Array<ArrayBuffer>,
  at: number,
  end: number,
): Uint8Array<ArrayBuffer> {
  const body = decoder.decode(bytes.subarray(at + 9, end));
  const names = body.split("\0").filter((name) => name !== "");
  const left = names.filter((name) => name !== PLUS);
  if (left.length === 0 || left.length === names.length) return bytes;
  const list = encoder.encode(left.map((name) => `${name}\0`).join("") + "\0");
  const result = new Uint8Array(at + 9 + list.length + bytes.length - end);
  result.set(bytes.subarray(0, at + 9));
  new DataView(result.buffer).setInt32(at + 1, 8 + list.length);
  result.set(list, at + 9);
  result.set(bytes.subarray(end), at + 9 + list.length);
  return result;
}
