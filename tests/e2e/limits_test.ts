import assert from "node:assert/strict";
import postgres from "postgres";
import { decodeErrorFields } from "../../src/wire/mod.ts";
import { type Cluster, startCluster } from "../support/cluster.ts";
import { TestProxy } from "../support/proxy.ts";
import { readAll, tcp } from "../support/tls_client.ts";
import { waitFor } from "../support/wait.ts";

const OPTIONS = { sanitizeOps: false, sanitizeResources: false };
/** Bound of a worker (src/proxy/worker.ts). */
const MAX_LOGINS = 1_000;

/** Clients that come one after the other and stay. */
class Clients implements AsyncDisposable {
  readonly #all: postgres.Sql[] = [];

  constructor(readonly proxy: TestProxy) {}

  /** @returns "in", or the refusal's SQLSTATE and message. */
  async come(user: string, database = "postgres"): Promise<string> {
    const sql = postgres(this.proxy.url(user, undefined, database), {
      max: 1,
      fetch_types: false,
    });
    this.#all.push(sql);
    return await sql`select 1`.then(
      () => "in",
      ({ code, message }) => `${code} ${message}`,
    );
  }

  /** The first who has come goes. */
  async go(): Promise<void> {
    const { clients } = this.proxy;
    await this.#all.shift()?.end();
    await waitFor("room", () => this.proxy.clients < clients, 5_000);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#all.map((sql) => sql.end()));
  }
}

const TOO_MANY = "53300 sorry, too many clients already";
const ofRole = (user: string) =>
  `53300 too many connections for role "${user}"`;
const ofDatabase = (name: string) =>
  `53300 too many connections for database "${name}"`;

const database = (primary: Cluster, name: string, keys = "") => `
[[databases]]
name = "${name}"
host = "127.0.0.1"
port = ${primary.port}
database_name = "postgres"
${keys}
`;

Deno.test({
  name: "limits: 53300 in PostgreSQL's words, and room when a client goes",
  ...OPTIONS,
  async fn(t) {
    await using primary = await startCluster({
      version: "15",
      initSql: "create role ann superuser login",
    });

    await t.step("in all: the console is let in still", async () => {
      await using proxy = await TestProxy.start({
        primary,
        general: { max_clients: 2 },
      });
      await using clients = new Clients(proxy);
      assert.equal(await clients.come("postgres"), "in");
      assert.equal(await clients.come("ann"), "in");
      assert.equal(await clients.come("postgres"), TOO_MANY);
      assert.equal((await proxy.admin("SHOW CLIENTS")).length, 3);
      await clients.go();
      assert.equal(await clients.come("postgres"), "in");
    });

    await t.step("of a user, and of one user", async () => {
      await using proxy = await TestProxy.start({
        primary,
        general: { auth_type: "trust", max_user_clients: 1 },
        more: `
[[users]]
name = "postgres"
[[users]]
name = "ann"
max_clients = 2
`,
      });
      await using clients = new Clients(proxy);
      assert.equal(await clients.come("postgres"), "in");
      assert.equal(await clients.come("postgres"), ofRole("postgres"));
      assert.equal(await clients.come("ann"), "in");
      assert.equal(await clients.come("ann"), "in");
      assert.equal(await clients.come("ann"), ofRole("ann"));
      await clients.go();
      assert.equal(await clients.come("postgres"), "in");
    });

    await t.step("of a database, and of one database", async () => {
      await using proxy = await TestProxy.start({
        primary,
        general: { max_database_clients: 1 },
        more: database(primary, "wide", "max_clients = 2"),
      });
      await using clients = new Clients(proxy);
      assert.equal(await clients.come("postgres"), "in");
      assert.equal(await clients.come("ann"), ofDatabase("postgres"));
      assert.equal(await clients.come("postgres", "wide"), "in");
      assert.equal(await clients.come("ann", "wide"), "in");
      assert.equal(await clients.come("ann", "wide"), ofDatabase("wide"));
      await clients.go();
      assert.equal(await clients.come("ann"), "in");
    });
  },
});

Deno.test({
  name:
    "limits: half-open logins beyond their bound are refused, and harm nobody who is in",
  ...OPTIONS,
  async fn() {
    await using primary = await startCluster({ version: "15" });
    await using proxy = await TestProxy.start({
      primary,
      general: { workers: 1 },
    });
    await using clients = new Clients(proxy);
    assert.equal(await clients.come("postgres"), "in");
    const silent = await Promise.all(
      Array.from({ length: MAX_LOGINS }, () => tcp(proxy.port)),
    );
    await waitFor(
      "all to be taken in",
      () => proxy.clients === MAX_LOGINS + 1,
      10_000,
    );
    const answer = await readAll(await tcp(proxy.port));
    assert.equal(answer[0], "E".charCodeAt(0));
    assert.equal(decodeErrorFields(answer.subarray(5)).C, "53300");
    for (const socket of silent) socket.destroy();
    await waitFor("them to be gone", () => proxy.clients === 1, 10_000);
    assert.equal(await clients.come("postgres"), "in");
  },
});
