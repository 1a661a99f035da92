import { Buffer } from "node:buffer";
import { once } from "node:events";
// @ts-types="@types/pg"
import pg from "pg";
import {
  COPY_IN,
  COPY_OUT,
  COPY_TEXT,
  type DriverConnection,
  type Seen,
  SLEEP,
  sqlstate,
} from "./seen.ts";

/** What the driver has and its types lack. */
interface Canceller {
  cancel(client: pg.Client, query: pg.Query): void;
}

/** The part of its connection that a query of one's own may use. */
interface Connection {
  sendCopyFromChunk(chunk: Buffer): void;
  endCopyFrom(): void;
}

/** COPY of `COPY_TEXT` in, or of anything out: the driver leaves both to a query's own handlers. */
class Copy extends pg.Query {
  readonly ended: Promise<unknown>;
  #text = "";

  constructor(text: string) {
    super(text);
    this.ended = once(this, "end");
  }

  get lines(): string[] {
    return this.#text.trimEnd().split("\n");
  }

  handleCopyInResponse(connection: Connection): void {
    connection.sendCopyFromChunk(Buffer.from(COPY_TEXT));
    connection.endCopyFrom();
  }

  handleCopyData({ chunk }: { chunk: Buffer }): void {
    this.#text += chunk.toString();
  }
}

/** pg, which speaks the protocol itself. It pipelines where it is told to. */
export async function nodePg(at: DriverConnection): Promise<Seen> {
  const { ca, ...rest } = at;
  const options = {
    ...rest,
    ssl: ca === undefined ? false : { ca: ca.pem },
  };
  const client = new pg.Client(options);
  await client.connect();
  try {
    const one = async (text: string, values: unknown[] = []) => {
      const { rows } = await client.query({ text, values, rowMode: "array" });
      return rows[0] as unknown[];
    };
    const [user] = await one("select current_user");
    const prepared = [];
    for (const values of [[41, "first ☕"], [42, null]]) {
      const { rows } = await client.query({
        name: "p",
        text: "select $1::int + 1, $2::text",
        values,
        rowMode: "array",
      });
      prepared.push(rows[0]);
    }
    const [big, float, bool, raw, nothing, text] = await one(
      "select $1::bigint, $2::float8, $3::boolean, $4::bytea, $5::text, $6::text",
      [
        "9007199254740993",
        ...[0.5, true, Buffer.from([0, 0xff, 0x41]), null, "naïve 😀"],
      ],
    );
    await client.query("begin");
    await client.query(new Copy(COPY_IN)).ended;
    const copied = client.query(new Copy(COPY_OUT));
    await copied.ended;
    await client.query("rollback");
    const [rolledBack] = await one("select count(*)::int from item");
    const failed = await sqlstate(client.query("select 1 / 0"));
    return {
      user: String(user),
      prepared,
      values: [
        big,
        float,
        bool,
        (raw as Buffer).toString("hex"),
        nothing,
        text,
      ],
      pipeline: await inPipeline(options),
      copy: copied.lines,
      rolledBack: Number(rolledBack),
      failed,
      cancel: await cancelled(client, options),
    };
  } finally {
    await client.end();
  }
}

async function inPipeline(options: pg.ClientConfig): Promise<unknown[]> {
  const client = new pg.Client({ ...options, ...{ pipeline: true } });
  await client.connect();
  const results = await Promise.all(
    [1, 2, 3].map((n) => client.query("select $1::int as n", [n])),
  );
  await client.end();
  return results.map(({ rows: [row] }) => row.n);
}

async function cancelled(
  client: pg.Client,
  options: pg.ClientConfig,
): Promise<string | undefined> {
  const query = new pg.Query(SLEEP);
  const ended = once(query, "end");
  const running = once(client, "notice");
  client.query(query);
  await running;
  // In clear: with TLS the driver opens the connection and never sends it.
  const canceller: unknown = new pg.Client({ ...options, ssl: false });
  (canceller as Canceller).cancel(client, query);
  return await sqlstate(ended); // rejects with the query's error
}
