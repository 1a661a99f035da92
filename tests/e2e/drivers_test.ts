import assert from "node:assert/strict";
import {
  COPY_LINES,
  type Driver,
  type DriverConnection,
  installedDrivers,
  type Seen,
} from "../drivers/mod.ts";
import { assertAllMatch } from "../support/ledgers.ts";
import { Authority } from "../support/certificates.ts";
import { startCluster } from "../support/cluster.ts";
import { TestProxy } from "../support/proxy.ts";

/** How many drivers run at a time. */
const AT_A_TIME = 3;

const INIT_SQL = `
  create role app login password 'app secret';
  create table item (n int, t text);
  grant all on item to app`;

const ANN = `
[[users]]
name = "ann"
password = "ann's secret"
server_user = "app"
server_password = "app secret"
`;

const EXPECTED: Seen = {
  user: "app",
  prepared: [[42, "first ☕"], [43, null]],
  values: ["9007199254740993", 0.5, true, "00ff41", null, "naïve 😀"],
  pipeline: [1, 2, 3],
  copy: COPY_LINES,
  rolledBack: 0,
  failed: "22012",
  cancel: "57014",
};
const WITHOUT_PIPELINE = ["psql", "psycopg2", "php-pgsql", "DBD::Pg"];
/** They keep a cancelled statement's error to themselves; the transaction has failed. */
const CANCELLED_SILENTLY = ["asyncpg", "php-pgsql"];

function expectedOf(driver: string): Seen {
  const { pipeline, ...others } = EXPECTED;
  return {
    ...others,
    ...(WITHOUT_PIPELINE.includes(driver) ? {} : { pipeline }),
    ...(CANCELLED_SILENTLY.includes(driver) ? { cancel: "25P02" } : {}),
  };
}

/** What each driver saw, by name. */
async function runAll(
  drivers: readonly Driver[],
  at: DriverConnection,
): Promise<Record<string, Seen>> {
  const seen: Record<string, Seen> = {};
  const waiting = [...drivers];
  const work = async () => {
    for (let next; (next = waiting.shift()) !== undefined;) {
      const { name } = next;
      seen[name] = await next.run(at).catch((cause) => {
        throw new Error(`${name}: ${cause.message}`, { cause });
      });
    }
  };
  await Promise.all(Array.from({ length: AT_A_TIME }, work));
  return seen;
}

Deno.test({
  name:
    "drivers: on TLS and with each auth_type they see what the primary alone shows, and so does the mirror",
  sanitizeOps: false,
  sanitizeResources: false,
  ignore: !Authority.available,
  async fn(t) {
    const drivers = await installedDrivers();
    const expected = Object.fromEntries(
      drivers.map(({ name }) => [name, expectedOf(name)]),
    );
    await using authority = await Authority.create();
    const { certificatePath, keyPath } = await authority.issue();
    const ca = { path: authority.path, pem: authority.certificate };
    await using primary = await startCluster({
      version: "15",
      auth: "scram-sha-256",
      initSql: INIT_SQL,
    });
    await using mirror = await startCluster({
      version: "15",
      initSql: INIT_SQL,
    });
    const app = {
      host: "localhost",
      user: "app",
      password: "app secret",
      database: "postgres",
    };
    const ann = { ...app, user: "ann", password: "ann's secret" };

    await t.step("without the proxy", async () => {
      const { port } = primary;
      const seen = await runAll(drivers, { ...app, port, ca: undefined });
      assert.deepEqual(seen, expected);
    });
    const types = ["relayed", "scram", "md5", "plain", "trust"] as const;
    for (const type of types) {
      await t.step(type, async () => {
        const relayed = type === "relayed";
        await using proxy = await TestProxy.start({
          primary,
          mirror: { host: mirror.host, port: mirror.port, user: "app" },
          general: {
            workers: 1,
            tls_certificate: certificatePath,
            tls_private_key: keyPath,
            tls_client_required: true,
            ...(relayed ? {} : { auth_type: type }),
          },
          ...(relayed ? {} : { more: ANN }),
        });
        const { port } = proxy;
        const who = relayed ? app : ann;
        const seen = await runAll(drivers, { ...who, port, ca });
        assert.deepEqual(seen, expected);

        const ledger = await proxy.settled();
        const text = JSON.stringify(ledger);
        assert.deepEqual(ledger.excluded, { cancelled: drivers.length }, text);
        assert.deepEqual([ledger.dropped, ledger.failed], [{}, {}], text);
        assert.equal(ledger.seen, ledger.replayed + drivers.length, text);
        assertAllMatch(ledger, text);
      });
    }
  },
});
