import assert from "node:assert/strict";
import fc from "fast-check";
import { encodeStartupMessage, Framer } from "../../../src/wire/mod.ts";
import type { ShapeCache } from "../../../src/sql/shape_cache.ts";
import { randomOf } from "../mutation.ts";
import { TappedSession } from "../tapped_session.ts";
import { concat } from "../wire_client.ts";
import { assertTapped, cut, kindOf } from "./copy_check.ts";
import { CopyServer } from "./copy_server.ts";
import {
  type CopySession,
  copySessions,
  describeCopySession,
} from "./copy_sessions.ts";

/** Messages that a server may send at any time. */
const UNASKED = "NSA";
const MAX_WAIT_MS = 20_000;

/**
 * Plays random sessions on a real server, whose answers must be the model's,
 * with a tap between the two.
 *
 * @param port of a server whose database "postgres" has COPY_TABLES.
 * @throws {Error} with the session that differs.
 */
export async function runCopies(port: number, shapes: ShapeCache, options: {
  readonly sessions: number;
  readonly seed: number;
  readonly limitMs?: number;
  readonly onProgress?: (sessions: number) => void;
}): Promise<number> {
  const deadline = performance.now() + (options.limitMs ?? Infinity);
  let done = 0;
  let connection: Connection | undefined;
  const property = fc.asyncProperty(
    fc.boolean().chain((isOpen) =>
      copySessions(isOpen).map((session) => ({ session, isOpen }))
    ),
    fc.nat(),
    async ({ session, isOpen }, seed) => {
      if (performance.now() > deadline) return;
      try {
        connection ??= await Connection.open(port);
        await connection.play(session, shapes, randomOf(seed), isOpen);
      } catch (error) {
        connection?.[Symbol.dispose]();
        connection = undefined; // the next one begins anew
        throw new Error(`${describeCopySession(session)}\n${error}`, {
          cause: error,
        });
      }
      done++;
      options.onProgress?.(done);
    },
  );
  try {
    await fc.assert(property, {
      seed: options.seed,
      numRuns: options.sessions,
    });
  } finally {
    connection?.[Symbol.dispose]();
  }
  return done;
}

/** A connection that sessions use one after the other: each leaves it idle. */
class Connection implements Disposable {
  readonly #conn: Deno.TcpConn;
  readonly #framer = new Framer();
  readonly #chunk = new Uint8Array(65_536);
  /** Types of the answers, and what each ReadyForQuery said. */
  #answers = "";

  private constructor(conn: Deno.TcpConn) {
    this.#conn = conn;
  }

  static async open(port: number): Promise<Connection> {
    const conn = await Deno.connect({ hostname: "127.0.0.1", port });
    conn.setNoDelay(true);
    const parameters = { user: "postgres", database: "postgres" };
    await conn.write(encodeStartupMessage(Object.entries(parameters)));
    const connection = new Connection(conn);
    while (!connection.#answers.includes("Z")) await connection.#read();
    return connection;
  }

  async play(
    { messages }: CopySession,
    shapes: ShapeCache,
    random: () => number,
    isOpen: boolean,
  ): Promise<void> {
    const bytes = concat(messages);
    const model = new CopyServer();
    model.take(bytes);
    const tapped = new TappedSession(shapes);
    this.#answers = "";
    const timer = setTimeout(() => this[Symbol.dispose](), MAX_WAIT_MS);
    const sent = this.#send(bytes, tapped, random);
    try {
      while (this.#answers.length < model.answers.length) {
        tapped.server(await this.#read());
      }
    } finally {
      clearTimeout(timer);
      await sent;
    }
    assert.equal(this.#answers, model.answers, "the server and its model");
    assertTapped(tapped, model, random, { told: kindOf, isOpen });
  }

  [Symbol.dispose](): void {
    try {
      this.#conn.close();
    } catch {
      // It is closed.
    }
  }

  /** As the relay does: the tap knows of bytes no later than the server. */
  async #send(
    bytes: Uint8Array,
    tapped: TappedSession,
    random: () => number,
  ): Promise<void> {
    const pauses = random() < 0.2;
    for (const piece of cut(bytes, random)) {
      tapped.client(piece);
      for (let at = 0; at < piece.length;) {
        at += await this.#conn.write(piece.subarray(at)).catch(() => Infinity);
      }
      if (pauses) await new Promise((go) => setTimeout(go));
    }
  }

  async #read(): Promise<Uint8Array> {
    const count = await this.#conn.read(this.#chunk).catch(() => null) ?? 0;
    if (count === 0) throw new Error(`it ended behind ${this.#answers}`);
    const framer = this.#framer;
    for (let at = 0; at < count;) {
      at = framer.step(this.#chunk, at, count);
      if (!framer.finished) continue;
      const type = String.fromCharCode(framer.type);
      if (!UNASKED.includes(type)) this.#answers += type;
      if (type === "Z") {
        this.#answers += String.fromCharCode(this.#chunk[at - 1] as number);
      }
    }
    return this.#chunk.slice(0, count);
  }
}
