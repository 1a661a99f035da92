import { Buffer } from "node:buffer";
import { pipeline } from "node:stream/promises";
import { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import postgres from "postgres";
import {
  COPY_IN,
  COPY_OUT,
  COPY_TEXT,
  type DriverConnection,
  type Seen,
  SLEEP,
  sqlstate,
} from "./seen.ts";

/** postgres.js, which speaks the protocol itself. Queries that nobody awaits yet are a pipeline. */
export async function postgresJs(at: DriverConnection): Promise<Seen> {
  const running = Promise.withResolvers<void>();
  const sql = postgres({
    ...{ host: at.host, port: at.port, database: at.database, max: 1 },
    ...{ username: at.user, password: at.password },
    ssl: at.ca === undefined ? false : { ca: at.ca.pem },
    onnotice: () => running.resolve(),
  });
  try {
    const [who] = await sql`select current_user as user`;
    const prepared = [];
    for (const [n, t] of [[41, "first ☕"], [42, null]] as const) {
      const rows = await sql`select ${n}::int + 1 as n, ${t}::text as t`;
      prepared.push(...rows.map((row) => [row.n, row.t]));
    }
    const bytes = Buffer.from([0, 0xff, 0x41]);
    const [[big, float, bool, raw, nothing, words] = []] = await sql`
      select ${"9007199254740993"}::bigint, ${0.5}::float8, ${true}::boolean,
        ${bytes}::bytea, ${null}::text, ${"naïve 😀"}::text`.values();
    const three = await Promise.all(
      [1, 2, 3].map((n) => sql`select ${n}::int as n`),
    );
    let copy: string[] = [];
    const undone = new Error("undone");
    await sql.begin(async (tx) => {
      await pipeline(
        Readable.from([COPY_TEXT]),
        await tx.unsafe(COPY_IN).writable(),
      );
      copy = (await text(await tx.unsafe(COPY_OUT).readable()))
        .trimEnd().split("\n");
      throw undone;
    }).catch((error) => {
      if (error !== undone) throw error;
    });
    const [count] = await sql`select count(*)::int as n from item`;
    const failed = await sqlstate(sql`select 1 / 0`);
    const sleeping = sql.unsafe(SLEEP).execute();
    const cancelled = sqlstate(sleeping);
    await running.promise;
    sleeping.cancel();
    return {
      user: who?.user,
      prepared,
      values: [big, float, bool, raw.toString("hex"), nothing, words],
      pipeline: three.map(([row]) => row?.n),
      copy,
      rolledBack: count?.n,
      failed,
      cancel: await cancelled,
    };
  } finally {
    await sql.end();
  }
}
