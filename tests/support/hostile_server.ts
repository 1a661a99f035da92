import { Framer, QUERY, SYNC } from "../../src/wire/mod.ts";
import { concat, int32, message } from "./wire_client.ts";

/** AuthenticationOk and ReadyForQuery. */
export const WELCOME = concat([message("R", int32(0)), message("Z", "I")]);
/** What an honest server says to a query. */
export const HONEST = concat([message("C", "SELECT 1\0"), message("Z", "I")]);

/** One connection of a {@linkcode HostileServer}, as its script sees it. */
export class Victim {
  readonly #conn: Deno.Conn;
  readonly #framer = new Framer();
  #chunk = new Uint8Array(0);
  #at = 0;

  constructor(conn: Deno.Conn) {
    this.#conn = conn;
  }

  async send(...parts: readonly Uint8Array[]): Promise<void> {
    const bytes = concat(parts);
    for (let at = 0; at < bytes.length;) {
      at += await this.#conn.write(bytes.subarray(at));
    }
  }

  /** Sends again and again, until the other side has had enough. */
  async sendForEver(bytes: Uint8Array): Promise<void> {
    const times = Math.ceil(65_536 / bytes.length);
    const many = concat(Array.from({ length: times }, () => bytes));
    for (;;) await this.send(many);
  }

  /** Reads the startup packet. */
  async startup(): Promise<void> {
    const chunk = new Uint8Array(10_000);
    if (await this.#conn.read(chunk) === null) throw new Error("Gone");
  }

  /** Reads up to the end of the next message of one of these types. @returns its last bytes. */
  async next(...types: readonly number[]): Promise<Uint8Array> {
    for (;;) {
      while (this.#at < this.#chunk.length) {
        const from = this.#at;
        this.#at = this.#framer.step(this.#chunk, from, this.#chunk.length);
        if (this.#framer.finished && types.includes(this.#framer.type)) {
          return this.#chunk.subarray(from, this.#at);
        }
      }
      const chunk = new Uint8Array(65_536);
      const count = await this.#conn.read(chunk);
      if (count === null) throw new Error("Gone");
      this.#chunk = chunk.subarray(0, count);
      this.#at = 0;
    }
  }

  /** Until the other side closes. */
  async wait(): Promise<void> {
    const chunk = new Uint8Array(65_536);
    while (await this.#conn.read(chunk) !== null);
  }
}

/** What a server does with a connection; it is closed when it is done. */
export type HostileScript = (victim: Victim) => Promise<void>;

/** Logs in anybody and answers every query and Sync. */
export const honest: HostileScript = async (victim) => {
  await victim.startup();
  await victim.send(WELCOME);
  for (;;) {
    await victim.next(QUERY, SYNC);
    await victim.send(HONEST);
  }
};

/** Logs in anybody; what it says to the first query is up to `reply`. */
export function replying(
  reply: (victim: Victim) => Promise<void>,
): HostileScript {
  return async (victim) => {
    await victim.startup();
    await victim.send(WELCOME);
    await victim.next(QUERY, SYNC);
    await reply(victim);
  };
}

/** A server that plays a script with each connection, and may change it. */
export class HostileServer implements Disposable {
  script: HostileScript = honest;
  readonly host = "127.0.0.1";
  readonly port: number;
  readonly #listener: Deno.TcpListener;
  readonly #connections = new Set<Deno.Conn>();

  constructor() {
    this.#listener = Deno.listen({ hostname: this.host, port: 0 });
    this.port = this.#listener.addr.port;
    this.#accept();
  }

  /** Ends all connections: the next ones get another script. */
  play(script: HostileScript): void {
    this.script = script;
    for (const conn of this.#connections) close(conn);
  }

  [Symbol.dispose](): void {
    this.#listener.close();
    for (const conn of this.#connections) close(conn);
  }

  async #accept(): Promise<void> {
    try {
      for await (const conn of this.#listener) this.#serve(conn);
    } catch {
      // Disposed of.
    }
  }

  async #serve(conn: Deno.TcpConn): Promise<void> {
    this.#connections.add(conn);
    try {
      conn.setNoDelay(true);
      await this.script(new Victim(conn));
    } catch {
      // The other side has closed.
    }
    this.#connections.delete(conn);
    close(conn);
  }
}

function close(conn: Deno.Conn): void {
  try {
    conn.close();
  } catch {
    // It is closed.
  }
}
