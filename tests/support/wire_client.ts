import {
  concat,
  encodeStartupMessage,
  Framer,
  READY_FOR_QUERY,
  TERMINATE,
} from "../../src/wire/mod.ts";

const encoder = new TextEncoder();

/** A frontend message: type letter and body parts. */
export function message(
  type: string,
  ...parts: readonly (string | Uint8Array)[]
): Uint8Array<ArrayBuffer> {
  const body = concat(
    parts.map((part) => typeof part === "string" ? encoder.encode(part) : part),
  );
  const bytes = new Uint8Array(5 + body.length);
  bytes[0] = type.charCodeAt(0);
  new DataView(bytes.buffer).setInt32(1, 4 + body.length);
  bytes.set(body, 5);
  return bytes;
}

export const query = (sql: string) => message("Q", `${sql}\0`);
export const sync = () => message("S");
/** Parse of the unnamed statement, Bind without parameters, Execute of all rows. */
export const extended = (sql: string) =>
  concat([
    message("P", `\0${sql}\0`, int16(0)),
    message("B", "\0\0", int16(0), int16(0), int16(0)),
    message("E", "\0", int32(0)),
  ]);

export function int16(value: number): Uint8Array {
  return new Uint8Array([value >> 8, value & 255]);
}

export function int32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setInt32(0, value);
  return bytes;
}

export { concat };

/** A client on trust authentication that sends and receives bytes. */
export class WireClient implements Disposable {
  /** What has come since login, all of it. */
  readonly received: Uint8Array[] = [];
  readonly #conn: Deno.TcpConn;
  readonly #framer = new Framer();
  #ready = 0;
  #status = "";

  /** @param conn not logged in yet. */
  constructor(conn: Deno.TcpConn) {
    this.#conn = conn;
    conn.setNoDelay(true);
  }

  /** Connects and logs in. */
  static async connect(
    port: number,
    parameters: Readonly<Record<string, string>> = {},
  ): Promise<WireClient> {
    const client = new WireClient(
      await Deno.connect({ hostname: "127.0.0.1", port }),
    );
    const all = { user: "postgres", database: "postgres", ...parameters };
    await client.send(encodeStartupMessage(Object.entries(all)));
    await client.ready(1);
    client.received.length = 0;
    return client;
  }

  async send(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length;) {
      at += await this.#conn.write(bytes.subarray(at));
    }
  }

  /** Sends one byte per write. */
  async sendSlowly(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length; at++) {
      await this.send(bytes.subarray(at, at + 1));
    }
  }

  /** Reads until `count` more ReadyForQuery have come. @returns the last one's status. */
  async ready(count: number): Promise<string> {
    const wanted = this.#ready + count;
    while (this.#ready < wanted) {
      if (!await this.#read()) {
        throw new Error("The server closed the connection");
      }
    }
    return this.#status;
  }

  /** Reads once. */
  async some(): Promise<void> {
    await this.#read();
  }

  /** Half-closes: the server reads our end of stream behind what was sent. */
  async finish(): Promise<void> {
    await this.#conn.closeWrite();
  }

  /** Reads until the server closes. @returns all bytes since login. */
  async end(): Promise<Uint8Array> {
    while (await this.#read());
    return concat(this.received);
  }

  /** All bytes since login. */
  get bytes(): Uint8Array {
    return concat(this.received);
  }

  async terminate(): Promise<void> {
    await this.send(new Uint8Array([TERMINATE, 0, 0, 0, 4]));
    this[Symbol.dispose]();
  }

  [Symbol.dispose](): void {
    try {
      this.#conn.close();
    } catch {
      // It is closed.
    }
  }

  async #read(): Promise<boolean> {
    const chunk = new Uint8Array(256 * 1024);
    let count: number | null;
    try {
      count = await this.#conn.read(chunk);
    } catch {
      return false;
    }
    if (count === null) return false;
    this.received.push(chunk.subarray(0, count));
    for (let at = 0; at < count;) {
      at = this.#framer.step(chunk, at, count);
      if (this.#framer.finished && this.#framer.type === READY_FOR_QUERY) {
        this.#ready++;
        this.#status = String.fromCharCode(chunk[at - 1] as number);
      }
    }
    return true;
  }
}
