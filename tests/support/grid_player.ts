import {
  BACKEND_KEY_DATA,
  encodeStartupMessage,
  Framer,
  READY_FOR_QUERY,
  SSL_REQUEST,
} from "../../src/wire/mod.ts";
import {
  concat,
  extended,
  int32,
  message,
  query,
  sync,
} from "./wire_client.ts";

/** A client that hears nothing for so long hears nothing more. */
const QUIET_MS = 1_000;

/** What a client sends, and how many ReadyForQuery it waits for. */
export type Step = readonly [bytes: Uint8Array, ready: number];

/** Every moment of the grid comes by in it. */
export const SESSION: readonly Step[] = [
  [query("begin"), 1],
  [query("create temp table t (a int, b text)"), 1],
  [query("insert into t values (1, 'a'), (2, 'b')"), 1],
  [query("commit"), 1],
  [query("select a + 0, b || '', repeat('x', 100) from t order by 1"), 1],
  [concat([extended("select 1"), sync()]), 1],
  [
    concat([
      query("copy t from stdin"),
      message("d", "3\tc\n"),
      message("d", "4\td\n"),
      message("c"),
    ]),
    1,
  ],
  [query("select no_such_column"), 1],
  [
    concat([extended("select 10 / 0"), sync(), extended("select 2"), sync()]),
    2,
  ],
  [query("select count(*) from t"), 1],
];

const LOGIN = encodeStartupMessage([
  ["user", "postgres"],
  ["database", "postgres"],
]);

/** What a client saw. */
export interface Seen {
  /** All bytes but the cancel key, which is random. */
  readonly bytes: string;
  readonly end: "complete" | "closed" | "quiet";
}

export interface PlayOptions {
  readonly session?: readonly Step[];
  readonly quietMs?: number;
  /** Speaks TLS, and takes certificates of this authority, for localhost. */
  readonly ca?: string;
  /** Called before the step of this number. */
  readonly before?: { readonly step: number; call(): void | Promise<void> };
}

/** Logs in and plays a session until its end, the connection's, or silence. */
export async function play(
  port: number,
  options: PlayOptions = {},
): Promise<Seen> {
  const { session = SESSION, quietMs = QUIET_MS, ca, before } = options;
  const framer = new Framer();
  const chunk = new Uint8Array(65_536);
  let bytes = "";
  let ready = 0;

  async function until(conn: Deno.Conn, count: number): Promise<Seen["end"]> {
    while (ready < count) {
      const length = await answer(conn.read(chunk), quietMs);
      if (typeof length === "string") return length;
      for (let at = 0; at < length;) {
        const from = at;
        at = framer.step(chunk, at, length);
        if (
          framer.type !== BACKEND_KEY_DATA ||
          framer.atBoundary && !framer.finished
        ) {
          bytes += new TextDecoder("latin1").decode(chunk.subarray(from, at));
        }
        if (framer.finished && framer.type === READY_FOR_QUERY) ready++;
      }
    }
    return "complete";
  }

  const open = await connect(port, ca, quietMs);
  if (typeof open === "string") return { bytes, end: open };
  using conn = open;
  let wanted = 0;
  for (
    const [i, [part, count]] of [[LOGIN, 1] as const, ...session].entries()
  ) {
    if (i - 1 === before?.step) await before.call();
    try {
      await conn.write(part);
    } catch {
      return { bytes, end: "closed" };
    }
    const end = await until(conn, wanted += count);
    if (end !== "complete") return { bytes, end };
  }
  await conn.write(message("X")).catch(() => {});
  return { bytes, end: "complete" };
}

async function connect(
  port: number,
  ca: string | undefined,
  quietMs: number,
): Promise<Deno.Conn | "closed" | "quiet"> {
  const raw = await Deno.connect({ hostname: "127.0.0.1", port });
  if (ca === undefined) return raw;
  const yes = new Uint8Array(1);
  await raw.write(concat([int32(8), int32(SSL_REQUEST)]));
  const asked = await answer(raw.read(yes), quietMs);
  if (typeof asked === "string") {
    raw.close();
    return asked;
  }
  if (yes[0] !== "S".charCodeAt(0)) throw new Error("The server has no TLS");
  const hostname = "localhost";
  const conn = await Deno.startTls(raw, { hostname, caCerts: [ca] });
  const done = await answer(conn.handshake().then(() => 0), quietMs);
  if (typeof done === "number") return conn;
  conn.close();
  return done;
}

/** What a read gives, if anything before the client loses patience. */
async function answer(
  read: Promise<number | null>,
  quietMs: number,
): Promise<number | "closed" | "quiet"> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const quiet = new Promise<"quiet">((resolve) => {
    timer = setTimeout(() => resolve("quiet"), quietMs);
  });
  const result = await Promise.race([read.catch(() => null), quiet]);
  clearTimeout(timer);
  return result ?? "closed";
}
