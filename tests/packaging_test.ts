import assert from "node:assert/strict";
import { generalSchema } from "../src/config/schema.ts";

const read = (name: string) =>
  Deno.readTextFileSync(new URL(`../packaging/${name}`, import.meta.url));
const shutdownSeconds = generalSchema.parse({}).shutdown_timeout / 1e3;

Deno.test("packaging: the unit runs as a plain user, reloads by SIGHUP, and waits for the drain", () => {
  const entries = [...read("pgdog-mirror.service").matchAll(/^(\w+)=(.*)$/gm)];
  const unit = new Map(entries.map(([, key = "", value = ""]) => [key, value]));
  assert.equal(unit.get("User"), "pgdog-mirror");
  assert.equal(unit.get("NoNewPrivileges"), "true");
  assert.match(unit.get("ExecReload") ?? "", /-HUP \$MAINPID$/);
  assert.ok(Number(unit.get("TimeoutStopSec")) > shutdownSeconds);
});
