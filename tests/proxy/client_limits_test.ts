import assert from "node:assert/strict";
import {
  ClientLimits,
  type LimitSettings,
} from "../../src/proxy/client_limits.ts";
import {
  ClientState,
  ConnectionTable,
  createConnectionTable,
} from "../../src/stats/connection_table.ts";
import { NO_LIMITS } from "../support/no_limits.ts";

/** Two workers' tables, and a client that comes to one of them; it may be silent then. */
function door(settings: Partial<LimitSettings>) {
  const tables = [1, 2].map(() =>
    new ConnectionTable(createConnectionTable(100))
  );
  const limits = new ClientLimits(
    { ...NO_LIMITS, ...settings },
    tables,
  );
  return (worker: 0 | 1, database: string, user: string, silent = false) => {
    const table = tables[worker] as ConnectionTable;
    const row = table.open("", 0, 0);
    table.identify(row, 0, user, database, "");
    const refusal = limits.refusal(database, user) ??
      (silent ? undefined : limits.admit(table, row, database, user));
    if (refusal !== undefined) table.close(row);
    return refusal;
  };
}

Deno.test("ClientLimits: so many in all, over all workers", () => {
  const enter = door({ clients: 3 });
  assert.equal(enter(0, "shop", "a"), undefined);
  assert.equal(enter(1, "shop", "b"), undefined);
  assert.equal(enter(0, "other", "c"), undefined);
  assert.equal(enter(1, "shop", "a"), "sorry, too many clients already");
});

Deno.test("ClientLimits: for each database and each user, and of some others instead", () => {
  const enter = door({
    perDatabase: 2,
    perUser: 2,
    databases: { big: 3, shut: 0 },
    users: { pool: 3 },
  });
  assert.equal(enter(0, "shop", "a"), undefined);
  assert.equal(enter(1, "shop", "b"), undefined);
  assert.equal(
    enter(0, "shop", "c"),
    'too many connections for database "shop"',
  );
  assert.equal(enter(0, "big", "a"), undefined);
  assert.equal(enter(1, "big", "a"), 'too many connections for role "a"');
  for (let i = 0; i < 2; i++) assert.equal(enter(0, "big", "pool"), undefined);
  assert.equal(
    enter(1, "big", "pool"),
    'too many connections for database "big"',
  );
  assert.equal(enter(1, "shut", "pool"), undefined, "0 is any number");
});

Deno.test("ClientLimits: a name that every object has is a name like others", () => {
  const enter = door({ perDatabase: 1, perUser: 1 });
  assert.equal(enter(0, "toString", "a"), undefined);
  assert.match(enter(0, "toString", "b") ?? "", /for database "toString"/);
  assert.equal(enter(0, "shop", "constructor"), undefined);
  assert.match(enter(0, "db", "constructor") ?? "", /role "constructor"/);
});

Deno.test("ClientLimits: clients that have not proved who they are keep nobody out", () => {
  const enter = door({ clients: 1, perDatabase: 1, perUser: 1 });
  for (let i = 0; i < 5; i++) {
    assert.equal(enter(0, "shop", "a", true), undefined);
  }
  assert.equal(enter(1, "shop", "a"), undefined);
  assert.equal(enter(0, "shop", "a"), "sorry, too many clients already");
});

Deno.test("ClientLimits: of clients that prove themselves at once never too many come in", () => {
  const table = new ConnectionTable(createConnectionTable(3));
  const limits = new ClientLimits({ ...NO_LIMITS, perUser: 1 }, [table]);
  const rows = [1, 2, 3].map(() => {
    const row = table.open("", 0, 0);
    table.identify(row, 0, "a", "shop", "");
    assert.equal(limits.refusal("shop", "a"), undefined);
    return row;
  });
  const admitted = rows.map((row) => limits.admit(table, row, "shop", "a"))
    .filter((refusal) => refusal === undefined);
  assert.equal(admitted.length, 1);
});

Deno.test("ConnectionTable: knows whose login has not ended", () => {
  const table = new ConnectionTable(createConnectionTable(10));
  const rows = [1, 2, 3].map(() => table.open("", 0, 0));
  assert.equal(table.logins, 3);
  table.setState(rows[0] as number, ClientState.idle);
  table.setState(rows[0] as number, ClientState.active);
  table.close(rows[0] as number);
  table.close(rows[1] as number);
  assert.equal(table.logins, 1);
});
