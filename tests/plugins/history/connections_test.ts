import assert from "node:assert/strict";
import { openSqlite } from "../../../plugins/history/connections.ts";

function descriptorsOf(file: string): number {
  return [...Deno.readDirSync("/proc/self/fd")].filter(({ name }) => {
    try {
      return Deno.readLinkSync(`/proc/self/fd/${name}`) === file;
    } catch {
      return false; // of the folder itself, closed by now
    }
  }).length;
}

Deno.test("openSqlite: a file that is no database costs no descriptor, however often it is tried", () => {
  const file = Deno.makeTempFileSync();
  Deno.writeTextFileSync(file, "not a database ".repeat(100));
  for (let i = 0; i < 3; i++) {
    assert.throws(() => openSqlite(file), /not a database/);
  }
  assert.equal(descriptorsOf(file), 0);
  Deno.removeSync(file);
});
