import assert from "node:assert/strict";
import { packageProgram } from "../../tools/package.ts";
import { BootedMachine } from "../support/booted_machine.ts";
import { startCluster } from "../support/cluster.ts";
import { hasProgram } from "../support/programs.ts";
import { assertPlainUser, commands, Service } from "./service.ts";

const UNIT = new URL("../../packaging/pgdog-mirror.service", import.meta.url);
const FILE = "/etc/pgdog-mirror/pgdog.toml";

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
    const show = async (property: string) =>
      await machine.run(`systemctl show -P ${property} pgdog-mirror`);
    const service = new Service(primary, mirror, {
      socketFolder: "/run/pgdog-mirror",
      write: (toml) => machine.run(`cat > ${FILE}`, toml),
      reload: () => machine.run("systemctl reload pgdog-mirror"),
      stop: () => machine.run("systemctl stop pgdog-mirror"),
      log: () => machine.run("journalctl -o cat -u pgdog-mirror"),
      pid: () => show("MainPID"),
    });

    await packageProgram(`${machine.checkout}/dist/pgdog-mirror`);
    await Deno.writeTextFile(
      `${machine.checkout}/pgdog.toml`,
      service.toml("1"),
    );
    await Deno.mkdir(`${machine.checkout}/packaging`);
    await Deno.copyFile(
      UNIT,
      `${machine.checkout}/packaging/pgdog-mirror.service`,
    );
    await machine.boot();
    await using client = service.connection();

    await t.step("the README's commands install and start it", async () => {
      await machine.run(commands("systemd"));
      // It unpacks itself now, and must live through that.
      await machine.run("systemctl reload pgdog-mirror");
      await service.said("Accepting connections");
      assert.equal(await show("ActiveState"), "active");
      await service.answers();
    });

    await t.step("as a plain user who can do little", async () => {
      const pid = await show("MainPID");
      const status = await machine.run(`cat /proc/${pid}/status`);
      assertPlainUser(status, await machine.run("id -u pgdog-mirror"));
      assert.match(status, /^NoNewPrivs:\s+1$/m);
      assert.match(status, /^CapBnd:\s+0+$/m);
      await assert.rejects(
        machine.run(`nsenter --target ${pid} --mount touch /etc/x`),
        /Read-only file system/,
      );
    });

    await t.step(
      "others find its socket, and it writes a history",
      async () => {
        const answer = await machine.run(
          `runuser -u nobody -- psql -XAtc "select 'one'" \\
          "host=/run/pgdog-mirror port=${service.port} user=postgres dbname=postgres"`,
        );
        assert.equal(answer, "one");
        await machine.run("test -s /var/lib/pgdog-mirror/history.sqlite");
      },
    );

    await t.step(
      "a reload changes what the file changes",
      () => service.reloads(client),
    );

    await t.step("a broken file changes nothing", async () => {
      await service.refusesBrokenFile(client);
      assert.equal(await show("ActiveState"), "active");
    });

    await t.step("it comes back when it is killed", async () => {
      await machine.run("systemctl kill -s KILL pgdog-mirror");
      await service.said("Accepting connections", 2);
      assert.equal(await show("NRestarts"), "1");
      assert.equal(await service.exposure(), "1");
      await service.answers();
    });

    await t.step("a stop replays what is queued", async () => {
      await service.drains();
      assert.equal(await show("Result"), "success");
      assert.equal(await show("ExecMainStatus"), "0");
    });
  },
});
