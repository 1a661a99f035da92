import {
  type ConnectionTable,
  hashCancelKey,
} from "../stats/connection_table.ts";
import {
  AUTH_OK,
  AUTHENTICATION,
  BACKEND_KEY_DATA,
  Collector,
  Framer,
  PARAMETER_STATUS,
  READY_FOR_QUERY,
} from "../wire/mod.ts";

const VERSION_NAME = new TextEncoder().encode("server_version\0");
const decoder = new TextDecoder();

/**
 * Reads the cancel key and the version out of the primary's relayed login
 * conversation, and sees its end whatever else can be made of the session.
 */
export class LoginWatch {
  /** The first ReadyForQuery has come. */
  done = false;
  /** The primary has said that the client is who it says it is. */
  authenticated = false;
  readonly #framer = new Framer();
  readonly #body = new Collector();
  readonly #clients: ConnectionTable;
  readonly #row: number;

  readonly #onVersion: (version: string) => void;

  constructor(
    clients: ConnectionTable,
    row: number,
    onVersion: (version: string) => void,
  ) {
    this.#clients = clients;
    this.#row = row;
    this.#onVersion = onVersion;
  }

  /** Looks at `chunk[0, length)`, which came from the primary. */
  server(chunk: Uint8Array, length: number): void {
    const framer = this.#framer;
    for (let at = 0; at < length && !framer.broken;) {
      at = framer.step(chunk, at, length);
      if (framer.type === READY_FOR_QUERY && framer.finished) {
        this.done = true;
        return;
      }
      if (
        framer.type !== BACKEND_KEY_DATA &&
        framer.type !== PARAMETER_STATUS && framer.type !== AUTHENTICATION
      ) continue;
      this.#body.take(
        chunk,
        framer.bodyStart,
        at,
        framer.started,
        framer.finished,
      );
      if (!framer.finished) continue;
      const { bytes } = this.#body;
      if (framer.type === PARAMETER_STATUS) {
        if (VERSION_NAME.every((byte, i) => bytes[i] === byte)) {
          const [, value] = decoder.decode(bytes).split("\0");
          this.#onVersion(value ?? "");
        }
        continue;
      }
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
      if (framer.type === AUTHENTICATION) {
        if (bytes.length >= 4 && view.getInt32(0) === AUTH_OK) {
          this.authenticated = true;
        }
        continue;
      }
      if (bytes.length < 8) continue;
      this.#clients.setBackend(
        this.#row,
        view.getInt32(0),
        hashCancelKey(bytes.subarray(4)),
      );
    }
  }
}
