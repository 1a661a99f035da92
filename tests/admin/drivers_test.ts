import assert from "node:assert/strict";
// @ts-types="@types/pg"
import pg from "pg";
import postgres from "postgres";
import {
  CONNECTED_AT,
  type Console,
  PASSWORD,
  startConsole,
  USER,
} from "./console.ts";

function postgresJs(
  { server }: Console,
  options: postgres.Options<Record<string, never>> = {},
): postgres.Sql {
  return postgres({
    host: "127.0.0.1",
    port: server.port,
    database: "admin",
    username: USER,
    password: PASSWORD,
    max: 1,
    ...options,
  });
}

async function nodePg(
  { server }: Console,
  options: pg.ClientConfig = {},
): Promise<pg.Client> {
  const client = new pg.Client({
    host: "127.0.0.1",
    port: server.port,
    database: "admin",
    user: USER,
    password: PASSWORD,
    ...options,
  });
  await client.connect();
  return client;
}

/** A driver keeps timers of its own after its end. */
const DRIVER = { sanitizeOps: false, sanitizeResources: false };

Deno.test(
  "startAdmin: postgres.js logs in with its defaults and reads every type",
  DRIVER,
  async () => {
    const console = startConsole();
    const sql = postgresJs(console);
    try {
      for (
        const rows of [
          await sql`SHOW SAMPLE_ROWS`, // prepared
          await sql.unsafe("show  sample rows;").simple(),
          await sql.unsafe("SHOW SAMPLE_ROWS", [], { prepare: false }),
        ]
      ) {
        assert.deepEqual([...rows].map((row) => ({ ...row })), [
          {
            t: "a, é, 😀",
            i: "9007199254740993",
            f: 0.5,
            b: true,
            z: CONNECTED_AT,
          },
          {
            t: "",
            i: "-1",
            f: -1e300,
            b: false,
            z: new Date("1969-12-31T23:59:59.999Z"),
          },
          { t: null, i: null, f: null, b: null, z: null },
        ]);
      }
      assert.deepEqual([...await sql`SELECT 1 AS one`], [{ one: 1 }]);
      assert.deepEqual([...await sql`SHOW server_version`], [{
        server_version: "14.0 (PgDog Mirror 0.1.0)",
      }]);
    } finally {
      await sql.end();
      await console.server.close();
    }
  },
);

Deno.test(
  "startAdmin: postgres.js reads 5,000 rows through a portal, 1,700 at a time",
  DRIVER,
  async () => {
    const console = startConsole();
    const sql = postgresJs(console);
    try {
      const sizes: number[] = [];
      let next = 0;
      for await (const rows of sql`SHOW MANY`.cursor(1700)) {
        sizes.push(rows.length);
        for (const row of rows) assert.equal(row.n, String(next++));
      }
      assert.deepEqual(sizes, [1700, 1700, 1600]);
      assert.equal((await sql`SHOW MANY`).length, 5000);
    } finally {
      await sql.end();
      await console.server.close();
    }
  },
);

Deno.test(
  "startAdmin: postgres.js transactions, errors with a hint, and going on after them",
  DRIVER,
  async () => {
    const console = startConsole();
    const sql = postgresJs(console);
    try {
      const version = await sql.begin((tx) => tx`SHOW VERSION`);
      assert.deepEqual([...version], [{ version: "PgDog Mirror 0.1.0" }]);
      await assert.rejects(
        () => sql`SHOW CLIENT`,
        (error: postgres.PostgresError) => {
          assert.equal(error.code, "42601");
          assert.equal(
            error.message,
            'unknown command "SHOW CLIENT", the nearest is SHOW CLIENTS',
          );
          assert.equal(error.hint, "SHOW HELP lists the commands.");
          return true;
        },
      );
      await assert.rejects(() => sql`SHOW BROKEN`, { code: "XX000" });
      await assert.rejects(() => sql`SELECT * FROM orders`, { code: "0A000" });
      assert.equal((await sql`SHOW CLIENTS`)[0]?.application_name, "checkout");
      await sql`RESET MIRROR_STATS`;
      assert.equal(console.runs.reset, 1);
    } finally {
      await sql.end();
      await console.server.close();
    }
  },
);

Deno.test(
  "startAdmin: pg in simple, extended and prepared mode gives the same rows, and reads binary",
  DRIVER,
  async () => {
    const console = startConsole();
    const client = await nodePg(console);
    try {
      const simple = await client.query("SHOW SAMPLE_ROWS");
      assert.deepEqual(simple.fields.map((field) => field.dataTypeID), [
        25,
        20,
        701,
        16,
        1184,
      ]);
      assert.deepEqual(simple.rows[0], {
        t: "a, é, 😀",
        i: "9007199254740993",
        f: 0.5,
        b: true,
        z: CONNECTED_AT,
      });
      const named = { name: "sample", text: "SHOW SAMPLE_ROWS" };
      assert.deepEqual((await client.query(named)).rows, simple.rows);
      assert.deepEqual((await client.query(named)).rows, simple.rows);
      const unnamed = { text: "SHOW SAMPLE_ROWS", queryMode: "extended" };
      assert.deepEqual((await client.query(unnamed)).rows, simple.rows);
      // pg reads binary values through UTF-8, so only ASCII bytes come through it.
      const binary = {
        text: "SELECT 65 AS a, 'x' AS b, true AS c",
        queryMode: "extended",
        binary: true,
      };
      assert.deepEqual((await client.query(binary)).rows, [
        { a: 65, b: "x", c: true },
      ]);
    } finally {
      await client.end();
      await console.server.close();
    }
  },
);

Deno.test(
  "startAdmin: pg gets one result for each statement of a string",
  DRIVER,
  async () => {
    const console = startConsole();
    const client = await nodePg(console);
    try {
      const results = await client.query(
        "SHOW VERSION; SELECT 'a;b' AS x; /* ; */ SHOW PLUGINS",
      ) as unknown as pg.QueryResult[];
      assert.deepEqual(results.map(({ rows }) => Object.values(rows[0])[0]), [
        "PgDog Mirror 0.1.0",
        "a;b",
        "mirror_stats",
      ]);
      await assert.rejects(() => client.query("SHOW VERSION; SHOW NOTHING"), {
        code: "42601",
      });
      const catalog = await client.query(
        "SELECT b.oid, b.typarray FROM pg_catalog.pg_type a",
      );
      assert.deepEqual(catalog.rows, []);
      assert.deepEqual(catalog.fields.map(({ name }) => name), [
        "oid",
        "typarray",
      ]);
      assert.equal((await client.query("")).rows.length, 0);
    } finally {
      await client.end();
      await console.server.close();
    }
  },
);

Deno.test(
  "startAdmin: a wrong password and an unknown user get the same answer",
  DRIVER,
  async () => {
    const console = startConsole();
    try {
      for (const user of [USER, "nobody"]) {
        const wrong = { user, password: "wrong" };
        await assert.rejects(() => nodePg(console, wrong), {
          code: "28P01",
          severity: "FATAL",
          message: `password authentication failed for user "${user}"`,
        });
      }
      await assert.rejects(() => nodePg(console, { user: "nobody" }), {
        code: "28P01",
      });
      await assert.rejects(() => nodePg(console, { database: "shop" }), {
        code: "3D000",
        message: 'database "shop" does not exist',
      });
    } finally {
      await console.server.close();
    }
  },
);

Deno.test(
  "startAdmin: without a password nobody gets in",
  DRIVER,
  async () => {
    const console = startConsole({ password: undefined });
    try {
      await assert.rejects(() => nodePg(console, { password: "x" }), {
        code: "28P01",
      });
    } finally {
      await console.server.close();
    }
  },
);

Deno.test(
  "startAdmin: a stored SCRAM verifier serves as the password",
  DRIVER,
  async () => {
    // CREATE ROLE a PASSWORD 'pencil' on PostgreSQL 15.18.
    const password =
      "SCRAM-SHA-256$4096:xo0iIsuCrRcf6FjgtXvagQ==$hVQBTDMHmE1uSW/WFnZP+BcJgBnwSUc5mLpwieu+vF0=:L/iMz35dqctcGRZlO2r2i+nrV5ZKoFRPBgXpL/rJE0c=";
    const console = startConsole({ password });
    try {
      const client = await nodePg(console, { password: "pencil" });
      await client.end();
      await assert.rejects(() => nodePg(console, { password }), {
        code: "28P01",
      });
    } finally {
      await console.server.close();
    }
  },
);

Deno.test(
  "adminCommands: SHOW HELP is the table, plugins' commands included, and every SHOW in it runs",
  DRIVER,
  async () => {
    const console = startConsole({}, {
      stats: () => [{
        database: "shop",
        requests: 5,
        receivedBytes: 10,
        sentBytes: 7,
      }],
    });
    const client = await nodePg(console);
    try {
      const help = (await client.query("SHOW HELP")).rows;
      const words = help.map(({ command }) => command as string);
      assert.deepEqual(words.slice(0, 8), [
        "SHOW HELP",
        "SHOW VERSION",
        "SHOW CONFIG",
        "SHOW DATABASES",
        "SHOW CLIENTS",
        "SHOW SERVERS",
        "SHOW STATS",
        "SHOW PLUGINS",
      ]);
      assert.ok(words.includes("RESET MIRROR_STATS"));
      for (const { command, help: text } of help) {
        assert.ok(text.length > 0, command);
        if (["SHOW BROKEN", "SHOW MISFIT"].includes(command)) continue;
        if (!command.startsWith("SHOW ")) continue;
        const { rows, command: tag } = await client.query(command);
        assert.ok(rows.length > 0, command);
        assert.equal(tag, "SHOW");
      }
      const stats = await client.query("SHOW STATS");
      assert.deepEqual(stats.rows, [{
        database: "shop",
        total_requests: "5",
        total_received: "10",
        total_sent: "7",
      }]);
      const databases = await client.query("SHOW DATABASES");
      assert.equal(databases.rows[0].mirrors, "shop_16, shop_17");
    } finally {
      await client.end();
      await console.server.close();
    }
  },
);

Deno.test(
  "adminCommands: SHOW CONFIG never shows a password",
  DRIVER,
  async () => {
    const console = startConsole();
    const client = await nodePg(console);
    try {
      const { rows } = await client.query("SHOW CONFIG");
      assert.deepEqual(
        rows.find(({ key }) => key === "admin.password"),
        { key: "admin.password", value: "***", default: "", changeable: true },
      );
      assert.ok(!JSON.stringify(rows).includes(PASSWORD));
    } finally {
      await client.end();
      await console.server.close();
    }
  },
);

Deno.test(
  "startAdmin: SHUTDOWN is answered, logged, and asked for once",
  DRIVER,
  async () => {
    const console = startConsole();
    const client = await nodePg(console);
    try {
      const result = await client.query("shutdown");
      assert.equal(result.command, "SHUTDOWN");
      assert.equal(console.runs.shutdown, 1);
      assert.deepEqual(
        console.log.find(({ message }) => message === "Admin command"),
        {
          level: "info",
          message: "Admin command",
          properties: { command: "SHUTDOWN", user: USER },
        },
      );
    } finally {
      await client.end();
      await console.server.close();
    }
  },
);

Deno.test("startAdmin: close tells waiting clients 57P01", DRIVER, async () => {
  const console = startConsole();
  const client = await nodePg(console);
  const error = new Promise<unknown>((resolve) => client.on("error", resolve));
  await console.server.close();
  await console.server.close();
  assert.equal((await error as { code: string }).code, "57P01");
  await client.end().catch(() => {});
});
