import assert from "node:assert/strict";
import postgres from "postgres";
import { startCluster } from "../support/cluster.ts";
import { Program } from "../support/program.ts";
import { waitFor } from "../support/wait.ts";

/** In clear, wherever they come from. */
const SECRETS = {
  client: "the client's own secret",
  primary: "secret on the primary",
  mirror: "secret on the mirror",
  admin: "secret of the admin",
  stats: "secret of the stats user",
  token: "the-secret-token-of-http",
  value: "a value of a parameter",
};

/** What changes something, or shows the configuration. */
const ADMIN_ONLY = [
  "SHOW CONFIG",
  "RELOAD",
  "PAUSE MIRROR",
  "RESUME MIRROR",
  "SET mirror_exposure TO 0.5",
  "RESET MIRROR_STATS",
  "SHUTDOWN",
];

Deno.test({
  name:
    "secrets: from the environment, from files and as verifiers, and nowhere to be seen",
  sanitizeOps: false,
  sanitizeResources: false,
  async fn(t) {
    const auth = "scram-sha-256";
    await using primary = await startCluster({
      version: "15",
      auth,
      initSql: `create role app superuser login password '${SECRETS.primary}'`,
    });
    await using mirror = await startCluster({
      version: "18",
      auth,
      password: SECRETS.mirror,
    });
    const verifier = await verifierOf(primary.url());
    await using program = new Program();
    const write = (name: string, text: string, mode = 0o600) =>
      Deno.writeTextFileSync(`${program.folder}/${name}`, text, { mode });
    write("mirror", `${SECRETS.mirror}\n`);
    write("stats", SECRETS.stats);
    // As PgDog has it, and readable by others.
    write(
      "users.toml",
      `
[[users]]
name = "ann"
database = "postgres"
password = "${verifier}"
server_user = "app"
server_password = "\${APP_PASSWORD}"
pool_size = 5
`,
      0o644,
    );
    const toml = program.config(
      primary,
      `auth_type = "scram"
log_level = "debug"
http_token = "\${HTTP_TOKEN}"
mirror_pacing = "asap"
`,
    ).replace(
      'password = "pw"',
      'password = "${ADMIN_PASSWORD}"\nstats_password = "${file:stats}"',
    );
    program.start(
      `${toml}
[[databases]]
name = "next"
host = "127.0.0.1"
port = ${mirror.port}
database_name = "postgres"
user = "postgres"
password = "\${file:mirror}"
[[mirroring]]
source_db = "postgres"
destination_db = "next"
`,
      "run",
      {
        args: ["--users", `${program.folder}/users.toml`],
        env: {
          APP_PASSWORD: SECRETS.primary,
          ADMIN_PASSWORD: SECRETS.admin,
          HTTP_TOKEN: SECRETS.token,
        },
      },
    );
    await program.accepting();
    const connect = (user: string, password: string, database: string) =>
      postgres({
        ...{ host: "127.0.0.1", port: program.port },
        ...{ user, password, database, max: 1, fetch_types: false },
      });
    const admin = connect("admin", SECRETS.admin, "admin");
    const stats = connect("stats", SECRETS.stats, "admin");
    const shown: string[] = [];

    await t.step(
      "a client gets in by its verifier, and is replayed",
      async () => {
        const sql = connect("ann", SECRETS.client, "postgres");
        const [row] =
          await sql`select current_user as me, ${SECRETS.value} as v`;
        assert.deepEqual({ ...row }, { me: "app", v: SECRETS.value });
        await sql.end();
        await waitFor("the replay", async () => {
          const [row] = await admin.unsafe("SHOW MIRRORS");
          return Number(row?.mirrored_count) === 1;
        }, 10_000);
        const wrong = connect("ann", SECRETS.primary, "postgres");
        await assert.rejects(async () => await wrong`select 1`, (error) => {
          shown.push(String(error), JSON.stringify(error));
          return true;
        });
        await wrong.end();
      },
    );
    await t.step("the stats user reads, and changes nothing", async () => {
      for (const words of ADMIN_ONLY) {
        await assert.rejects(async () => await stats.unsafe(words), {
          code: "42501",
        }, words);
      }
      const [row] = await stats.unsafe("SHOW MIRRORS");
      assert.equal(Number(row?.mirrored_count), 1);
    });
    await t.step("a file that others can read is told of", () => {
      assert.match(program.stderr, /users\.toml.*read/);
    });
    await t.step("nothing shows a secret or a value", async () => {
      const help = await admin.unsafe("SHOW HELP");
      const commands = help.map(({ command }) => String(command))
        .filter((words) => words.startsWith("SHOW"));
      assert.ok(commands.length >= 12, `${commands}`);
      for (const words of commands) {
        shown.push(JSON.stringify([...await admin.unsafe(words)]));
      }
      const headers = { authorization: `Bearer ${SECRETS.token}` };
      for (const path of ["metrics", "readiness", "report", "live"]) {
        const url = `http://127.0.0.1:${program.httpPort}/${path}`;
        const response = await fetch(url, { headers });
        assert.equal(response.status, 200, path);
        shown.push(await response.text());
      }
      shown.push(program.commandLine(), program.stderr);
      const all = shown.join("\n");
      assert.match(all, /pgdog_mirror_requests_total/);
      for (const secret of [...Object.values(SECRETS), verifier]) {
        assert.ok(!all.includes(secret), secret);
      }
    });
    await Promise.all([admin.end(), stats.end()]);
  },
});

/** The client's secret, as PostgreSQL stores it. */
async function verifierOf(url: string): Promise<string> {
  const sql = postgres(url, { max: 1, password: "postgres" });
  await sql.unsafe(
    `create role stored password '${SECRETS.client.replace("'", "''")}'`,
  );
  const [row] = await sql`
    select rolpassword as it from pg_authid where rolname = 'stored'`;
  await sql.end();
  return String(row?.it);
}
