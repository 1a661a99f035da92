import assert from "node:assert/strict";
import { once } from "node:events";
import type { Socket } from "node:net";
import postgres from "postgres";
import {
  MAX_ADDRESS_LOGINS,
  MAX_CONSOLE_LOGINS,
  MAX_LOGINS,
} from "../../src/proxy/login_door.ts";
import { decodeErrorFields, encodeStartupMessage } from "../../src/wire/mod.ts";
import { type Cluster, startCluster } from "../support/cluster.ts";
import { TestProxy } from "../support/proxy.ts";
import { tcp } from "../support/tls_client.ts";
import { waitFor } from "../support/wait.ts";

const OPTIONS = { sanitizeOps: false, sanitizeResources: false };
const STARTUP = (database: string) =>
  encodeStartupMessage([["user", "postgres"], ["database", database]]);

/** Clients that come one after the other and stay. */
class Clients implements AsyncDisposable {
  readonly #all: postgres.Sql[] = [];

  constructor(readonly proxy: TestProxy, readonly password?: string) {}

  /** @returns "in", or the refusal's SQLSTATE and message. */
  async come(user: string, database = "postgres"): Promise<string> {
    const sql = postgres(this.proxy.url(user, this.password, database), {
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

/** The SQLSTATE of the refusal that a client's startup packet gets; "" if it gets none. */
async function refusal(
  proxy: TestProxy,
  address: string,
  database = "postgres",
): Promise<string> {
  const socket = await tcp(proxy.port, address);
  socket.write(STARTUP(database));
  const [first] = await once(socket, "data") as [Uint8Array];
  socket.destroy();
  return first[0] === "E".charCodeAt(0)
    ? decodeErrorFields(first.subarray(5)).C ?? "?"
    : "";
}

Deno.test({
  name: "limits: clients that prove nothing keep nobody out",
  ...OPTIONS,
  async fn(t) {
    await using primary = await startCluster({
      version: "15",
      auth: "scram-sha-256",
      password: "right",
    });
    const OWN = `
[[users]]
name = "postgres"
password = "right"
server_user = "postgres"
server_password = "right"
`;
    for (
      const key of ["max_clients", "max_database_clients", "max_user_clients"]
    ) {
      for (const auth_type of ["relay", "scram"]) {
        await t.step(`${key}, auth_type = "${auth_type}"`, async () => {
          await using proxy = await TestProxy.start({
            primary,
            general: { [key]: 2, auth_type },
            more: auth_type === "relay" ? "" : OWN,
          });
          const silent: Socket[] = [];
          for (let i = 0; i < 5; i++) {
            const socket = await tcp(proxy.port);
            silent.push(socket);
            socket.write(STARTUP("postgres"));
            await once(socket, "data"); // it is asked who it is
          }
          await using clients = new Clients(proxy, "right");
          assert.equal(await clients.come("postgres"), "in");
          assert.equal(await clients.come("postgres"), "in");
          assert.match(await clients.come("postgres"), /^53300 /);
          if (auth_type !== "relay" && key !== "max_clients") {
            // Else anybody could ask who there is, and who is logged in.
            await using guesses = new Clients(proxy, "wrong");
            assert.match(await guesses.come("postgres"), /^28P01 /);
          }
          await clients.go();
          assert.equal(await clients.come("postgres"), "in");
          for (const socket of silent) socket.destroy();
        });
      }
    }
  },
});

Deno.test({
  name: "limits: of clients that log in at once never too many come in",
  ...OPTIONS,
  async fn() {
    await using primary = await startCluster({ version: "15" });
    await using proxy = await TestProxy.start({
      primary,
      general: { max_user_clients: 3 },
    });
    await using clients = new Clients(proxy);
    const answers = await Promise.all(
      Array.from({ length: 12 }, () => clients.come("postgres")),
    );
    const inside = answers.filter((answer) => answer === "in");
    assert.ok(inside.length <= 3, `${answers}`);
    assert.deepEqual(
      new Set(answers.filter((answer) => answer !== "in")),
      new Set([ofRole("postgres")]),
    );
  },
});

Deno.test({
  name:
    "limits: half-open logins beyond their bounds are refused, and harm nobody who is in, nor the console",
  ...OPTIONS,
  async fn(t) {
    await using primary = await startCluster({ version: "15" });
    await using proxy = await TestProxy.start({
      primary,
      general: { workers: 1 },
    });
    await using clients = new Clients(proxy);
    assert.equal(await clients.come("postgres"), "in");
    const silent: Socket[] = [];
    const come = async (count: number, address: string) => {
      const wanted = proxy.clients + count;
      silent.push(
        ...await Promise.all(
          Array.from({ length: count }, () => tcp(proxy.port, address)),
        ),
      );
      await waitFor("them to be in", () => proxy.clients === wanted, 10_000);
    };

    await t.step("of one address", async () => {
      await come(MAX_ADDRESS_LOGINS, "127.0.0.2");
      assert.equal(await refusal(proxy, "127.0.0.2"), "53300");
      assert.equal(await refusal(proxy, "127.0.0.1"), "");
    });
    await t.step("of all", async () => {
      await waitFor(
        "only silent ones",
        () => proxy.clients === MAX_ADDRESS_LOGINS + 1,
        10_000,
      );
      await come(MAX_LOGINS - MAX_ADDRESS_LOGINS, "127.0.0.3");
      assert.equal(await refusal(proxy, "127.0.0.4"), "53300");
    });
    await t.step("the console is let in, silent ones or not", async () => {
      assert.equal((await proxy.admin("SHOW CLIENTS")).length > 0, true);
      const more = await Promise.all(
        Array.from({ length: 3 * MAX_CONSOLE_LOGINS }, () => tcp(proxy.port)),
      );
      let sentAway = 0;
      for (const socket of more) socket.resume().once("end", () => sentAway++);
      await waitFor(
        "the oldest to make room",
        () => sentAway === 2 * MAX_CONSOLE_LOGINS,
        10_000,
      );
      assert.equal((await proxy.admin("SHOW CLIENTS")).length > 0, true);
      silent.push(...more);
    });
    await t.step("when they have gone, all is as before", async () => {
      for (const socket of silent) socket.destroy();
      await waitFor("them to be gone", () => proxy.clients === 1, 10_000);
      assert.equal(await clients.come("postgres"), "in");
    });
  },
});
