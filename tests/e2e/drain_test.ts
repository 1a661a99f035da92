import assert from "node:assert/strict";
import postgres from "postgres";
import { encodeStartupMessage } from "../../src/wire/mod.ts";
import { type Cluster, startCluster } from "../support/cluster.ts";
import { freePort, TestProxy } from "../support/proxy.ts";
import { concat, query } from "../support/wire_client.ts";

const OPTIONS = { sanitizeOps: false, sanitizeResources: false };
/** Some of them find the kernel's buffer full at the end of their reply: it is longer for each. */
const CLIENTS = 12;
/** More than the buffer holds. */
const ROWS = 2_000;
const ROW_BYTES = 1_000;
const MORE_ROWS = 17;
const STEP_BYTES = 8 * 1024;
/** Longer than a client that is told goodbye may take, in milliseconds (src/proxy/session.ts). */
const SLEEP_MS = 3_000;

/** A client of a database of its own, which reads when it is told to. */
class Reader {
  readonly rows: number;
  readonly database: string;
  tail = "";
  readonly #buffer = new Uint8Array(STEP_BYTES);

  private constructor(readonly conn: Deno.UnixConn, index: number) {
    this.rows = ROWS + index * MORE_ROWS;
    this.database = databaseOf(index);
  }

  static async ask(path: string, index: number): Promise<Reader> {
    // A unix socket: the kernel's buffers of TCP grow as they like.
    const conn = await Deno.connect({ transport: "unix", path });
    const reader = new Reader(conn, index);
    await conn.write(concat([
      encodeStartupMessage([
        ["user", "postgres"],
        ["database", reader.database],
      ]),
      query(
        `select repeat('x', ${ROW_BYTES}) from generate_series(1, ${reader.rows})`,
      ),
    ]));
    return reader;
  }

  /** @returns false at the end. */
  async read(): Promise<boolean> {
    const count = await this.conn.read(this.#buffer).catch(() => null);
    if (count === null) return false;
    const text = new TextDecoder("latin1");
    this.tail = (this.tail + text.decode(this.#buffer.subarray(0, count)))
      .slice(-1_000);
    return true;
  }

  /** Reads no more than what makes the proxy read the reply's end; the rest waits. */
  async readUntil(passed: () => Promise<number>): Promise<void> {
    for (let before = -1;;) {
      const now = await passed();
      if (now > this.rows * ROW_BYTES) return;
      if (now === before) assert.ok(await this.read());
      before = now;
    }
  }
}

const databaseOf = (index: number) => `number_${index}`;

/** A proxy with readers whose replies have begun. */
class Hall implements AsyncDisposable {
  readonly proxy: TestProxy;
  readonly readers: readonly Reader[];
  readonly #admin: postgres.Sql;
  readonly #folder: string;

  private constructor(
    proxy: TestProxy,
    readers: readonly Reader[],
    admin: postgres.Sql,
    folder: string,
  ) {
    this.proxy = proxy;
    this.readers = readers;
    this.#admin = admin;
    this.#folder = folder;
  }

  static async open(primary: Cluster): Promise<Hall> {
    const admin_port = freePort();
    const folder = await Deno.makeTempDir();
    const databases = Array.from({ length: CLIENTS }, (_, index) => `
[[databases]]
name = "${databaseOf(index)}"
host = "127.0.0.1"
port = ${primary.port}
database_name = "postgres"
`);
    const proxy = await TestProxy.start({
      primary,
      general: { workers: 1, admin_port, unix_socket_dir: folder },
      more: databases.join(""),
    });
    const admin = postgres(
      `postgres://admin:admin-secret@127.0.0.1:${admin_port}/admin`,
      { max: 1, fetch_types: false },
    );
    const path = `${folder}/.s.PGSQL.${proxy.port}`;
    const readers = await Promise.all(
      databases.map((_, index) => Reader.ask(path, index)),
    );
    const hall = new Hall(proxy, readers, admin, folder);
    for (const { database } of readers) {
      while (await hall.passed(database) < STEP_BYTES);
    }
    return hall;
  }

  /** Bytes of a reply that the proxy has read; they may not be sent yet. */
  async passed(database: string): Promise<number> {
    const rows = await this.#admin.unsafe("SHOW STATS");
    return Number(rows.find((row) => row.database === database)?.total_sent);
  }

  /** The proxy has read every reply to its end; some of it waits for its reader. */
  async readUntilComplete(): Promise<void> {
    await Promise.all(
      this.readers.map((reader) =>
        reader.readUntil(() => this.passed(reader.database))
      ),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { conn } of this.readers) conn.close();
    await this.proxy.supervisor.stop(0);
    await this.#admin.end();
    await Deno.remove(this.#folder, { recursive: true });
  }
}

Deno.test({
  name:
    "drain: a complete reply reaches a client that reads slowly, as long as the shutdown has time",
  ...OPTIONS,
  async fn() {
    await using primary = await startCluster({ version: "15" });
    await using hall = await Hall.open(primary);
    const stopped = hall.proxy.supervisor.stop(30_000);
    await hall.readUntilComplete();
    await new Promise((resolve) => setTimeout(resolve, SLEEP_MS));
    for (const reader of hall.readers) {
      while (await reader.read());
      assert.match(
        reader.tail,
        new RegExp(`SELECT ${reader.rows}\0Z\0\0\0\x05I.*57P01`, "s"),
      );
    }
    await stopped;
  },
});

Deno.test({
  name: "drain: clients that take nothing of what is pending end with its time",
  ...OPTIONS,
  async fn() {
    await using primary = await startCluster({ version: "15" });
    await using hall = await Hall.open(primary);
    await hall.readUntilComplete();
    await hall.proxy.supervisor.stop(500);
  },
});
