import {
  COPY_DATA,
  COPY_IN_RESPONSE,
  DATA_ROW,
  encodeStartupMessage,
  ERROR_RESPONSE,
  Framer,
  READY_FOR_QUERY,
} from "../../../src/wire/mod.ts";
import { message, query } from "../../../tests/support/wire_client.ts";
import { HOST, type Target } from "../support.ts";

/** Characters in a row of what is fetched and copied. */
export const ROW_CHARACTERS = 1_000;
/** As the protocol's messages carry it: header, number of columns, length. */
export const ROW_BYTES = 5 + 2 + 4 + ROW_CHARACTERS;
/** As COPY's text has it: with the end of the line, in a message. */
export const LINE_BYTES = 5 + ROW_CHARACTERS + 1;

const READ_BYTES = 256 * 1024;
/** Lines in a message of COPY to the server, as libpq fills its buffer. */
const LINES_PER_MESSAGE = 8;

/** What has come for a command. */
export interface Received {
  /** Bytes of all messages. */
  bytes: number;
  /** DataRow and CopyData. */
  rows: number;
}

/** A client that moves much data and keeps none of it. Trust authentication. */
export class BulkClient implements Disposable {
  readonly #conn: Deno.TcpConn;
  readonly #framer = new Framer();
  readonly #buffer = new Uint8Array(READ_BYTES);
  #received: Received = { bytes: 0, rows: 0 };
  #last = 0;

  private constructor(conn: Deno.TcpConn) {
    this.#conn = conn;
  }

  /** Connects and logs in. */
  static async connect({ port, database }: Target): Promise<BulkClient> {
    const conn = await Deno.connect({ hostname: HOST, port });
    const client = new BulkClient(conn);
    await client.#send(encodeStartupMessage([
      ["user", "postgres"],
      ["database", database ?? "postgres"],
    ]));
    await client.#until(READY_FOR_QUERY);
    return client;
  }

  /** Runs a query, and drops what comes. @throws {Error} with the server's words. */
  async query(sql: string): Promise<Received> {
    await this.begin(sql);
    await this.#until(READY_FOR_QUERY);
    return this.#received;
  }

  /** Sends a query; {@linkcode readOnce} reads of its reply. */
  async begin(sql: string): Promise<void> {
    this.#received = { bytes: 0, rows: 0 };
    this.#last = 0;
    await this.#send(query(sql));
  }

  /** Whether the last query's reply has come to its end. */
  get isReady(): boolean {
    return this.#last === READY_FOR_QUERY;
  }

  /** Reads once, at most so many bytes. */
  async readOnce(bytes: number): Promise<void> {
    await this.#read(bytes);
  }

  /** `copy … from stdin`. @returns bytes sent. */
  async copyIn(sql: string, lines: number): Promise<number> {
    await this.begin(sql);
    await this.#until(COPY_IN_RESPONSE);
    const line = "x".repeat(ROW_CHARACTERS) + "\n";
    const full = message("d", line.repeat(LINES_PER_MESSAGE));
    let sent = 0;
    for (let left = lines; left > 0; left -= LINES_PER_MESSAGE) {
      const bytes = left >= LINES_PER_MESSAGE
        ? full
        : message("d", line.repeat(left));
      await this.#send(bytes);
      sent += bytes.length;
    }
    await this.#send(message("c"));
    await this.#until(READY_FOR_QUERY);
    return sent;
  }

  [Symbol.dispose](): void {
    this.#conn.close();
  }

  async #until(type: number): Promise<void> {
    this.#last = 0;
    while (this.#last !== type) await this.#read(READ_BYTES);
  }

  async #read(most: number): Promise<void> {
    const buffer = this.#buffer;
    const length = await this.#conn.read(
      most < buffer.length ? buffer.subarray(0, most) : buffer,
    );
    if (length === null) throw new Error("The server closed the connection");
    const framer = this.#framer;
    this.#received.bytes += length;
    for (let at = 0; at < length;) {
      at = framer.step(buffer, at, length);
      if (framer.broken) throw new Error("The stream can't be cut");
      if (framer.type === ERROR_RESPONSE) {
        throw new Error(
          new TextDecoder().decode(buffer.subarray(framer.bodyStart, at))
            .replaceAll("\0", " "),
        );
      }
      if (!framer.finished) continue;
      this.#last = framer.type;
      if (framer.type === DATA_ROW || framer.type === COPY_DATA) {
        this.#received.rows++;
      }
    }
  }

  async #send(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length;) {
      at += await this.#conn.write(bytes.subarray(at));
    }
  }
}
