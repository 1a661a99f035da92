import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import postgres from "postgres";
import { CatalogConnection } from "../../src/cli/doctor/connection.ts";
import type { PairReport } from "../../src/cli/doctor/output.ts";
import { type Cluster, startCluster } from "../support/cluster.ts";
import { waitFor } from "../support/wait.ts";
import { TestProxy } from "../support/proxy.ts";

const MAIN = fileURLToPath(new URL("../../main.ts", import.meta.url));
const PASSWORDS = "host all all all scram-sha-256";

Deno.test({
  name:
    "check --connect: whom the servers let in from the proxy without a password",
  sanitizeOps: false,
  sanitizeResources: false,
  async fn(t) {
    await using primary = await startCluster({
      version: "15",
      auth: "scram-sha-256",
      initSql: `create role app login; create role boss superuser login;
        create role team; create role rep replication login password 'x';
        create role full login connection limit 0`,
    });
    await using mirror = await startCluster({
      version: "15",
      auth: "scram-sha-256",
    });

    await t.step("passwords for everybody: nothing is found", async () => {
      await letIn(primary, PASSWORDS);
      assert.deepEqual(await open(servers(primary, mirror)), []);
    });

    await t.step("one user by trust: a warning, and true", async () => {
      await letIn(primary, "host all app 127.0.0.1/32 trust", PASSWORDS);
      assert.deepEqual(await open(servers(primary, mirror)), [
        "warning role app: lets it in from 127.0.0.1",
      ]);
      await using proxy = await TestProxy.start({ primary });
      const sql = postgres(proxy.url("app"), { max: 1, fetch_types: false });
      const [row] = await sql`select current_user::text as me`;
      assert.equal(row?.me, "app");
      await sql.end();
    });

    await t.step(
      "superusers by trust are errors, those by name too",
      async () => {
        await letIn(primary, "host all all 127.0.0.1/32 trust");
        assert.deepEqual(await open(servers(primary, mirror)), [
          "error role boss: lets it in from 127.0.0.1",
          "error role postgres: lets it in from 127.0.0.1",
          "error role rep: lets it in from 127.0.0.1",
          "warning role app: lets it in from 127.0.0.1",
          "warning role full: lets it in from here",
        ]);
      },
    );

    await t.step(
      "a line for replication by trust: an error, and true",
      async () => {
        await letIn(
          primary,
          "host replication rep 127.0.0.1/32 trust",
          PASSWORDS,
        );
        assert.deepEqual(await open(servers(primary, mirror)), [
          "error role rep: lets it in for replication",
        ]);
        await using proxy = await TestProxy.start({ primary });
        const replication = await CatalogConnection.open({
          host: "127.0.0.1",
          port: proxy.port,
          tls: undefined,
          database: "postgres",
          user: "rep",
          password: undefined,
          cleartextAllowed: false,
          connectTimeoutMs: 5_000,
          queryTimeoutMs: 5_000,
          replication: true,
        });
        const [row] = await replication.query("IDENTIFY_SYSTEM");
        assert.match(row?.systemid ?? "", /^\d+$/);
        replication.close();
        // Roles that may not replicate are not let in, whatever the line says.
        await letIn(
          primary,
          "host replication app 127.0.0.1/32 trust",
          PASSWORDS,
        );
        assert.deepEqual(await open(servers(primary, mirror)), []);
        assert.deepEqual(
          await open(servers(primary, mirror, { login: 'user = "app"' })),
          [],
        );
      },
    );

    await t.step("a role at its connection limit", async () => {
      await letIn(primary, "host all full 127.0.0.1/32 trust", PASSWORDS);
      assert.deepEqual(await open(servers(primary, mirror)), [
        "warning role full: lets it in from here",
      ]);
      // By trust, but nobody: neither is there, nor may log in.
      await letIn(
        primary,
        "host all nobody,team 127.0.0.1/32 trust",
        PASSWORDS,
      );
      const nobody = (user: string) =>
        open(servers(primary, mirror, { login: `user = "${user}"` }));
      assert.deepEqual(await nobody("nobody"), []);
      assert.deepEqual(await nobody("team"), []);
    });

    await t.step(
      "without a login for the source the usual name is tried",
      async () => {
        await letIn(primary, "host all all 127.0.0.1/32 trust");
        assert.deepEqual(
          await open(servers(primary, mirror, { login: "" })),
          ["error role postgres: lets it in from 127.0.0.1"],
        );
      },
    );

    await t.step(
      "the mirror, for clients can open it by its name",
      async () => {
        await letIn(primary, PASSWORDS);
        await letIn(mirror, "host all postgres 127.0.0.1/32 trust", PASSWORDS);
        assert.deepEqual(await open(servers(primary, mirror)), [
          "error role postgres: lets it in from 127.0.0.1",
        ]);
        await letIn(mirror, PASSWORDS);
      },
    );

    await t.step("a database of the proxy's that is not mirrored", async () => {
      await letIn(primary, "host all app 127.0.0.1/32 trust", PASSWORDS);
      const alone = (login: string) =>
        `[admin]\npassword = "pw"\n${database("alone", primary, login)}`;
      const login = 'user = "postgres"\npassword = "postgres"';
      assert.deepEqual(await open(alone('user = "app"')), [
        "warning role app: lets it in from 127.0.0.1",
      ]);
      // Roles that the configuration does not name are the server's to tell.
      await letIn(primary, "host all boss 127.0.0.1/32 trust", PASSWORDS);
      assert.deepEqual(await open(alone(login)), [
        "error role boss: lets it in from 127.0.0.1",
      ]);
      assert.deepEqual(await open(alone(login), "credentials"), []);
      // Who can't ask for them says so.
      const noLogin = "error primary: no user is known to log in with";
      assert.deepEqual(await open(alone("")), []);
      assert.deepEqual(await open(alone(""), "credentials"), [noLogin]);
      await letIn(primary, "host all postgres 127.0.0.1/32 trust", PASSWORDS);
      assert.deepEqual(await open(alone("")), [
        "error role postgres: lets it in from 127.0.0.1",
      ]);
      assert.deepEqual(await open(alone(login)), [
        "error role postgres: lets it in from 127.0.0.1",
      ]);
    });

    await t.step(
      "a unix socket asks nobody, not even far clients",
      async () => {
        await letIn(
          primary,
          "local all app trust",
          PASSWORDS,
          "local all all scram-sha-256",
        );
        const socket = dirname(primary.logFile);
        assert.deepEqual(
          await open(servers(primary, mirror, { host: socket })),
          ["warning role app: lets it in from a unix socket"],
        );
      },
    );

    await t.step(
      "users of the proxy's own: the primary sees the proxy only",
      async () => {
        await letIn(primary, "host all all 127.0.0.1/32 trust");
        const own = `[general]\nauth_type = "scram"\n`;
        const users = await Deno.makeTempFile({ suffix: ".toml" });
        await Deno.writeTextFile(
          users,
          '[[users]]\nname = "ann"\npassword = "x"\n',
        );
        assert.deepEqual(
          await open(own + servers(primary, mirror), "passwordless", [
            "--users",
            users,
          ]),
          [],
        );
        await Deno.remove(users);
      },
    );

    await t.step("so many roles and no more are tried", async () => {
      await letIn(primary, PASSWORDS);
      const sql = postgres(primary.url(), { max: 1, onnotice() {} });
      await sql`do $$ begin for i in 1..40 loop
        execute format('create role many_%s login', i); end loop; end $$`;
      await sql.end();
      const findings = await open(
        servers(primary, mirror),
        "passwordless_untried",
      );
      assert.deepEqual(findings, ["note primary: undefined"]);
    });

    await t.step(
      "a server that does not answer is given up at once",
      async () => {
        await primary.pause();
        try {
          const general = "[general]\nconnect_timeout = 500\n";
          assert.deepEqual(await open(general + servers(primary, mirror)), []);
        } finally {
          primary.resume();
        }
      },
    );
  },
});

/** Makes these lines the server's pg_hba.conf. */
async function letIn(server: Cluster, ...lines: string[]): Promise<void> {
  const loadedAt = async () => {
    const sql = postgres(server.url(), { max: 1 });
    const [row] = await sql`select pg_conf_load_time()::text as at`;
    await sql.end();
    return row?.at;
  };
  const before = await loadedAt();
  await Deno.writeTextFile(
    join(server.dataDir, "pg_hba.conf"),
    lines.map((line) => `${line}\n`).join(""),
  );
  server.kill("SIGHUP");
  await waitFor(
    "pg_hba.conf to be read",
    async () => await loadedAt() !== before,
    10_000,
  );
}

function database(
  name: string,
  server: Cluster,
  login: string,
  host = "127.0.0.1",
): string {
  return `
[[databases]]
name = "${name}"
host = "${host}"
port = ${server.port}
database_name = "postgres"
${login}
`;
}

function servers(
  primary: Cluster,
  mirror: Cluster,
  source: { login?: string; host?: string } = {},
): string {
  const login = 'user = "postgres"\npassword = "postgres"';
  return `${database("now", primary, source.login ?? login, source.host)}
${database("next", mirror, login)}
[[mirroring]]
source_db = "now"
destination_db = "next"
[admin]
password = "pw"
`;
}

/** What `check --connect` says of logins without a password. */
async function open(
  config: string,
  wanted = "passwordless",
  more: readonly string[] = [],
): Promise<string[]> {
  const path = await Deno.makeTempFile({ suffix: ".toml" });
  try {
    await Deno.writeTextFile(path, config);
    await Deno.chmod(path, 0o600);
    const args = [
      "check",
      "--connect",
      "--format",
      "json",
      "--config",
      path,
      ...more,
    ];
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-q", "-A", MAIN, ...args],
    }).output();
    const text = new TextDecoder().decode(stdout);
    assert.notEqual(text, "", new TextDecoder().decode(stderr));
    const { pairs } = JSON.parse(text) as { pairs: PairReport[] };
    const findings = pairs.flatMap(({ findings }) => findings);
    const mine = findings.filter(({ rule }) => rule === wanted);
    if (mine.some(({ severity }) => severity === "error")) {
      assert.equal(code, 2);
    }
    return mine.map(({ severity, object, primary, mirror }) =>
      `${severity} ${object}: ${primary ?? mirror}`
    ).sort();
  } finally {
    await Deno.remove(path);
  }
}
