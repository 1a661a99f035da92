import assert from "node:assert/strict";
import {
  childrenOf,
  isAlive,
  isStopped,
  processOf,
  signal,
} from "../../../src/cli/demo/processes.ts";
import { waitFor } from "../../support/wait.ts";

Deno.test("processes: a child is found, stopped, and dead when it was killed", async () => {
  // A name with a space and parentheses, as /proc/PID/stat shows it.
  const child = new Deno.Command("sh", {
    args: ["-c", "printf 'a) b' > /proc/self/comm; read -r line"],
    stdin: "piped",
  }).spawn();
  const found = processOf(child.pid);
  assert.ok(found);
  await waitFor(
    "the child's name",
    () => Deno.readTextFileSync(`/proc/${child.pid}/comm`) === "a) b\n",
    5_000,
  );
  assert.ok(childrenOf(Deno.pid).some(({ pid }) => pid === child.pid));
  assert.ok(isAlive(found));
  assert.equal(isStopped(found), false);
  signal(found, "SIGSTOP");
  await waitFor("SIGSTOP", () => isStopped(found), 5_000);
  assert.ok(isAlive(found));
  signal(found, "SIGKILL");
  await child.status;
  assert.equal(isAlive(found), false);
  signal(found, "SIGKILL"); // gone: nothing happens
  assert.equal(isAlive({ pid: Deno.pid, startTime: "0" }), false);
  await child.stdin.close();
});
