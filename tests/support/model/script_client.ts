import {
  concat,
  encodeStartupMessage,
  Framer,
  NOTIFICATION_RESPONSE,
  READY_FOR_QUERY,
  ROW_DESCRIPTION,
} from "../../../src/wire/mod.ts";
import { query } from "../wire_client.ts";
import type { Script } from "./script.ts";
import { RESET } from "./statements.ts";

const decoder = new TextDecoder("latin1");
const DATA_ROW = "D";

/**
 * A client that plays scripts and keeps what it is answered, message by
 * message. What one server says differently from run to run is blanked out: the
 * oids of tables, the process that notified.
 */
export class ScriptClient implements Disposable {
  readonly #conn: Deno.TcpConn;
  readonly #timeoutMs: number;
  #messages: string[] = [];
  #ready = 0;
  #ended = false;
  #wake: () => void = () => {};
  #markers = 0;

  private constructor(conn: Deno.TcpConn, timeoutMs: number) {
    this.#conn = conn;
    this.#timeoutMs = timeoutMs;
    conn.setNoDelay(true);
    this.#read();
  }

  /** Logs in and brings the tables to where scripts begin. */
  static async connect(
    port: number,
    parameters: Readonly<Record<string, string>>,
    timeoutMs = 20_000,
  ): Promise<ScriptClient> {
    const client = new ScriptClient(
      await Deno.connect({ hostname: "127.0.0.1", port }),
      timeoutMs,
    );
    await client.#write(encodeStartupMessage(Object.entries(parameters)));
    await client.#until(() => client.#ready > 0, "to log in");
    await client.#finish();
    return client;
  }

  /** Plays a script and leaves the session as it was before. @returns the answers. */
  async play({ steps, writeBytes }: Script): Promise<string[]> {
    this.#messages = [];
    this.#ready = 0;
    let due = 0;
    for (const { step, wait } of steps) {
      for (let at = 0; at < step.bytes.length; at += writeBytes) {
        await this.#write(step.bytes.subarray(at, at + writeBytes));
      }
      due += step.ready;
      const wanted = due;
      if (wait) {
        await this.#until(
          () => this.#ready >= wanted,
          `for ReadyForQuery ${wanted} after ${step.text}`,
        );
      }
    }
    await this.#finish();
    return this.#messages;
  }

  [Symbol.dispose](): void {
    try {
      this.#conn.close();
    } catch {
      // It is closed.
    }
  }

  /** Scripts may leave a transaction, settings and rows behind; a marker ends their answers. */
  async #finish(): Promise<void> {
    const marker = `end of script ${this.#markers++}`;
    for (
      const sql of ["rollback", "discard all", RESET, `select '${marker}'`]
    ) await this.#write(query(sql));
    await this.#until(
      () =>
        this.#messages.at(-1)?.[0] === "Z" &&
        this.#messages.at(-3)?.[0] === DATA_ROW &&
        this.#messages.at(-3)?.endsWith(marker) === true,
      "for the end of the script",
    );
  }

  async #until(done: () => boolean, what: string): Promise<void> {
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      this.#wake();
    }, this.#timeoutMs);
    try {
      while (!done()) {
        if (late || this.#ended) {
          throw new Error(
            `${
              late ? "Waited in vain" : "The connection ended, it waited"
            } ${what}; last answers: ${
              this.#messages.slice(-5).map((m) => m.slice(0, 80))
            }`,
          );
        }
        await new Promise<void>((resolve) => this.#wake = resolve);
      }
    } finally {
      clearTimeout(timer);
    }
  }

  async #write(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length;) {
      at += await this.#conn.write(bytes.subarray(at));
    }
  }

  async #read(): Promise<void> {
    const framer = new Framer();
    const chunk = new Uint8Array(256 * 1024);
    let body: Uint8Array[] = [];
    for (;;) {
      const count = await this.#conn.read(chunk).catch(() => null);
      if (count === null) break;
      for (let at = 0; at < count;) {
        at = framer.step(chunk, at, count);
        body.push(chunk.slice(framer.bodyStart, at));
        if (!framer.finished) continue;
        this.#messages.push(written(framer.type, concat(body)));
        if (framer.type === READY_FOR_QUERY) this.#ready++;
        body = [];
      }
      this.#wake();
    }
    this.#ended = true;
    this.#wake();
  }
}

/** Type letter and body; what is legitimately different blanked out. */
function written(type: number, body: Uint8Array): string {
  if (type === NOTIFICATION_RESPONSE) body.fill(0, 0, 4);
  if (type === ROW_DESCRIPTION) {
    for (let at = 2; at < body.length;) {
      const end = body.indexOf(0, at) + 1;
      body.fill(0, end, end + 4); // the table's oid
      at = end + 18;
    }
  }
  return String.fromCharCode(type) + decoder.decode(body);
}
