import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { startCluster } from "../support/cluster.ts";
import { Containers } from "../support/containers.ts";
import { hasProgram } from "../support/programs.ts";
import { assertPlainUser, commands, Service } from "./service.ts";

const CHECKOUT = fileURLToPath(new URL("../..", import.meta.url));
const NAME = "pgdog-mirror";
/** The image's. */
const UID = 10001;

Deno.test({
  name: "packaging: the image is built, runs, reloads and drains",
  ignore: !hasProgram("podman") || !hasProgram("mmdebstrap") ||
    Deno.uid() !== 0, // only root may make an image's disk
  sanitizeOps: false,
  sanitizeResources: false,
  async fn(t) {
    await using primary = await startCluster({ version: "15" });
    await using mirror = await startCluster({ version: "18" });
    await using containers = new Containers();
    const file = join(containers.folder, "pgdog.toml");
    const docker = (command: string) => containers.run(`docker ${command}`);
    const inspect = (field: string) =>
      docker(`inspect --format '{{.State.${field}}}' ${NAME}`);
    const [build = "", run = "", reload = ""] = commands("Docker")
      .split(/^(?=docker )/m);
    const service = new Service(primary, mirror, {
      socketFolder: "/var/lib/pgdog-mirror",
      write: (toml) => Deno.writeTextFile(file, toml),
      reload: () => containers.run(reload),
      stop: () => docker(`stop ${NAME}`),
      log: () => docker(`logs ${NAME}`),
      pid: () => inspect("Pid"),
    });
    await using client = service.connection();

    await t.step("the README's first command builds it", async () => {
      await containers.makeBaseImages();
      await containers.run(build, CHECKOUT);
    });

    await t.step("a file that it may not read ends it", async () => {
      await Deno.writeTextFile(file, service.toml("1"), { mode: 0o600 });
      await containers.run(run);
      await service.said("pgdog.toml");
      await docker(`wait ${NAME}`);
      assert.equal(await inspect("ExitCode"), "2");
      assert.match(await docker(`logs ${NAME}`), /run: chown 10001 \/etc/);
      await docker(`rm ${NAME}`);
    });

    await t.step("the second one starts it", async () => {
      await Deno.chown(file, UID, UID);
      await containers.run(run);
      await service.said("Accepting connections");
      await service.answers();
    });

    await t.step("as a plain user who can do little", async () => {
      const pid = await inspect("Pid");
      assertPlainUser(await Deno.readTextFile(`/proc/${pid}/status`), `${UID}`);
      await assert.rejects(
        docker(`exec ${NAME} touch /etc/pgdog-mirror/x`),
        /Read-only file system/,
      );
      await docker(`exec ${NAME} test -s /var/lib/${NAME}/history.sqlite`);
    });

    await t.step(
      "the third one changes what the file changes",
      () => service.reloads(client),
    );

    await t.step(
      "a broken file changes nothing",
      () => service.refusesBrokenFile(client),
    );

    await t.step("a stop replays what is queued", async () => {
      await service.drains();
      assert.equal(await inspect("ExitCode"), "0");
    });
  },
});
