import assert from "node:assert/strict";
import postgres from "postgres";
import { packageProgram } from "../../tools/package.ts";
import { BootedMachine } from "../support/booted_machine.ts";
import { startCluster } from "../support/cluster.ts";
import { mirrored } from "../support/program.ts";
import { hasProgram } from "../support/programs.ts";
import { freePort } from "../support/proxy.ts";
import { waitFor } from "../support/wait.ts";

const PACKAGING = new URL("../../packaging/", import.meta.url);
const FILE = "/etc/pgdog-mirror/pgdog.toml";
const TIMEOUT_MS = 20_000;

/** The commands of a section of packaging/README.md. */
function commands(section: string): string {
  const readme = Deno.readTextFileSync(new URL("README.md", PACKAGING));
  const [, text = ""] = readme.split(`\n## ${section}\n`);
  const [, block = ""] = text.match(/```sh\n([\s\S]*?)```/) ?? [];
  return block;
}

Deno.test({
  name: "packaging: systemd runs, reloads, restarts and drains the unit",
  ignore: !hasProgram("systemd-nspawn") || !hasProgram("psql") ||
    Deno.uid() !== 0, // only root may boot a container
  sanitizeOps: false,
  sanitizeResources: false,
  async fn(t) {
    await using primary = await startCluster({ version: "15" });
    await using mirror = await startCluster({ version: "18" });
    await using machine = new BootedMachine();
    const [port, adminPort] = [freePort(), freePort()];
    const toml = (exposure: string) => `
[general]
host = "127.0.0.1"
port = ${port}
admin_port = ${adminPort}
unix_socket_dir = "/run/pgdog-mirror"
mirror_exposure = ${exposure}
[[databases]]
name = "postgres"
host = "127.0.0.1"
port = ${primary.port}
${mirrored(mirror)}
[plugins.history]
path = "/var/lib/pgdog-mirror/history.sqlite"
interval_ms = 100
[admin]
password = "pw"
`;
    const write = (exposure: string) =>
      machine.run(`cat > ${FILE}`, toml(exposure));
    const show = async (property: string) =>
      await machine.run(`systemctl show -P ${property} pgdog-mirror`);
    const journal = () => machine.run("journalctl -o cat -u pgdog-mirror");
    const said = (text: string, times = 1) =>
      waitFor(
        `"${text}" in the journal, ${times} times`,
        async () => (await journal()).split(text).length > times,
        TIMEOUT_MS,
      ).catch(async (cause) => {
        throw new Error(await journal(), { cause });
      });
    const exposure = async () => {
      await using console = connection(adminPort, "admin");
      const rows = await console.sql.unsafe("SHOW CONFIG");
      return rows.find(({ key }) => key === "general.mirror_exposure")?.value;
    };
    const answers = async () => {
      await using client = connection(port, "postgres");
      assert.equal((await client.sql`select 'one' as x`)[0]?.x, "one");
    };

    await packageProgram(`${machine.checkout}/dist/pgdog-mirror`);
    await Deno.writeTextFile(`${machine.checkout}/pgdog.toml`, toml("1"));
    await Deno.mkdir(`${machine.checkout}/packaging`);
    await Deno.copyFile(
      new URL("pgdog-mirror.service", PACKAGING),
      `${machine.checkout}/packaging/pgdog-mirror.service`,
    );
    await machine.boot();
    await using client = connection(port, "postgres");

    await t.step("the README's commands install and start it", async () => {
      await machine.run(commands("systemd"));
      // It unpacks itself now, and must live through that.
      await machine.run("systemctl reload pgdog-mirror");
      await said("Accepting connections");
      assert.equal(await show("ActiveState"), "active");
      await client.sql`create table kept as select 1 as n`;
      await answers();
    });

    await t.step("as a plain user who can do little", async () => {
      const status = await machine.run(
        `cat /proc/${await show("MainPID")}/status; id -u pgdog-mirror`,
      );
      const user = status.split("\n").at(-1);
      assert.notEqual(user, "0");
      assert.match(status, new RegExp(`^Uid:(\\s+${user}){4}$`, "m"));
      assert.match(status, /^NoNewPrivs:\s+1$/m);
      assert.match(status, /^Seccomp:\s+2$/m); // a filter
      assert.match(status, /^CapBnd:\s+0+$/m);
      await assert.rejects(
        machine.run(
          `nsenter --target ${await show("MainPID")} --mount touch /etc/x`,
        ),
        /Read-only file system/,
      );
    });

    await t.step(
      "others find its socket, and it writes a history",
      async () => {
        const answer = await machine.run(
          `runuser -u nobody -- psql -XAtc "select 'one'" \\
          "host=/run/pgdog-mirror port=${port} user=postgres dbname=postgres"`,
        );
        assert.equal(answer, "one");
        await machine.run("test -s /var/lib/pgdog-mirror/history.sqlite");
      },
    );

    await t.step("a reload changes what the file changes", async () => {
      const pid = await show("MainPID");
      await write("0.5");
      await machine.run("systemctl reload pgdog-mirror");
      await waitFor(
        "the new exposure",
        async () => await exposure() === "0.5",
        TIMEOUT_MS,
      );
      await client.sql`insert into kept values (2)`;
      assert.equal(await show("MainPID"), pid);
    });

    await t.step("a broken file changes nothing", async () => {
      const pid = await show("MainPID");
      await write("nonsense");
      await machine.run("systemctl reload pgdog-mirror");
      await said("pgdog.toml:7: ");
      assert.equal(await show("ActiveState"), "active");
      assert.equal(await show("MainPID"), pid);
      assert.equal(await exposure(), "0.5");
      await client.sql`insert into kept values (3)`;
      await write("1");
    });

    await t.step("it comes back when it is killed", async () => {
      await machine.run("systemctl kill -s KILL pgdog-mirror");
      await said("Accepting connections", 2);
      assert.equal(await show("NRestarts"), "1");
      assert.equal(await exposure(), "1");
      await answers();
    });

    await t.step("a stop replays what is queued", async () => {
      await mirror.pause();
      await using last = connection(port, "postgres");
      await last.sql`create table late as select 1 as n`;
      const stopped = machine.run("systemctl stop pgdog-mirror");
      await said("Draining");
      mirror.resume();
      await stopped;
      assert.equal(await show("Result"), "success");
      assert.equal(await show("ExecMainStatus"), "0");
      const [, line = ""] = (await journal()).split("Final ledger");
      assert.match(line, /pending=0\b/);
      const direct = postgres(mirror.url(), { max: 1, onnotice() {} });
      assert.equal((await direct`select n from late`)[0]?.n, 1);
      await direct.end();
    });
  },
});

/** A client of this machine's; its password is the console's. */
function connection(port: number, database: string) {
  const user = database === "admin" ? "admin" : "postgres";
  const sql = postgres(
    `postgres://${user}:pw@127.0.0.1:${port}/${database}`,
    { max: 1, fetch_types: false, onnotice() {} },
  );
  return { sql, [Symbol.asyncDispose]: () => sql.end({ timeout: 1 }) };
}
