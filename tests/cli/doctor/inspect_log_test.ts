import assert from "node:assert/strict";
import { inspectLog } from "../../../src/cli/doctor/inspect_log.ts";
import type { Snapshot } from "../../../src/cli/doctor/snapshot.ts";

function primary(
  settings: Readonly<Record<string, string>>,
  role: Readonly<Record<string, string>>,
): Snapshot {
  return {
    user: "postgres",
    sets: {
      settings: Object.entries(settings).map(([name, value]) => ({
        name,
        value,
      })),
      roles: [{ name: "app", replication: "f", superuser: "f", ...role }],
    },
    unread: {},
  };
}

const GOOD = { wal_level: "logical", max_replication_slots: "10" };
const MAY = { replication: "t" };

const whats = (snapshot: Snapshot, user: string | undefined) =>
  inspectLog(snapshot, user).map(({ severity, what, primary }) =>
    [severity, what, primary ?? ""].join(" | ")
  );

Deno.test("inspectLog: a log that can be read", () => {
  for (const role of [MAY, { superuser: "t" }]) {
    assert.deepEqual(whats(primary(GOOD, role), "app"), [
      "note | can be read | ",
    ]);
  }
});

Deno.test("inspectLog: each thing that is missing is named", () => {
  assert.deepEqual(
    whats(primary({ ...GOOD, wal_level: "replica" }, MAY), "app"),
    ["warning | can't be read: it does not tell rows | wal_level = replica"],
  );
  assert.deepEqual(
    whats(primary({ ...GOOD, max_replication_slots: "0" }, MAY), "app"),
    ["warning | can't be read: there is no slot | max_replication_slots = 0"],
  );
  assert.deepEqual(
    whats(primary(GOOD, {}), "app"),
    [
      "warning | can't be read: the proxy's login may not | app has not REPLICATION",
    ],
  );
  assert.deepEqual(
    whats(primary(GOOD, MAY), undefined),
    ["warning | can't be read: the proxy has no login of its own | no user"],
  );
});
