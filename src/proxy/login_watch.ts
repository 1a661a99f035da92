import { type ClientTable, hashCancelKey } from "../stats/client_table.ts";
import { BACKEND_KEY_DATA, Collector, Framer } from "../wire/mod.ts";

/** Reads the cancel key out of the primary's relayed login conversation. */
export class LoginWatch {
  readonly #framer = new Framer();
  readonly #body = new Collector();
  readonly #clients: ClientTable;
  readonly #row: number;

  constructor(clients: ClientTable, row: number) {
    this.#clients = clients;
    this.#row = row;
  }

  /** Looks at `chunk[0, length)`, which came from the primary. */
  server(chunk: Uint8Array, length: number): void {
    const framer = this.#framer;
    for (let at = 0; at < length && !framer.broken;) {
      at = framer.step(chunk, at, length);
      if (framer.type !== BACKEND_KEY_DATA) continue;
      this.#body.take(
        chunk,
        framer.bodyStart,
        at,
        framer.started,
        framer.finished,
      );
      if (!framer.finished || this.#body.length < 8) continue;
      const { bytes } = this.#body;
      this.#clients.setBackend(
        this.#row,
        new DataView(bytes.buffer, bytes.byteOffset).getInt32(0),
        hashCancelKey(bytes.subarray(4)),
      );
    }
  }
}
