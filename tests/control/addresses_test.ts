import assert from "node:assert/strict";
import { closeDescriptor, listen, socketAddress } from "../../src/io/mod.ts";
import { ListenError, listenUnix } from "../../src/control/addresses.ts";

const PORT = 6432;

Deno.test("listenUnix: takes over a file that nobody listens on, and no other", async () => {
  const folder = await Deno.makeTempDir();
  const path = `${folder}/.s.PGSQL.${PORT}`;
  closeDescriptor(listen(socketAddress(folder, PORT)));
  assert.ok((await Deno.lstat(path)).isSocket, "a stale file");

  const listener = await listenUnix(folder, PORT);
  assert.equal((await Deno.stat(path)).mode! & 0o777, 0o777); // always there on Linux
  (await Deno.connect({ transport: "unix", path })).close();
  await assert.rejects(
    listenUnix(folder, PORT),
    (error) =>
      error instanceof ListenError &&
      error.message.includes("another process listens there"),
  );
  await listener.close();
  await assert.rejects(Deno.lstat(path), { name: "NotFound" });
  await Deno.remove(folder);
});

Deno.test("listenUnix: a folder that is not there is named", async () => {
  await assert.rejects(listenUnix("/nowhere/at/all", PORT), {
    name: "ListenError",
    message: /Cannot listen on \/nowhere\/at\/all\/\.s\.PGSQL\.6432/,
  });
});
