import assert from "node:assert/strict";
import {
  ClientLimits,
  type LimitSettings,
} from "../../src/proxy/client_limits.ts";
import {
  ClientState,
  ClientTable,
  createClientTable,
} from "../../src/stats/client_table.ts";

/** Two workers' tables, and a client that comes to one of them. */
function door(settings: Partial<LimitSettings>) {
  const tables = [1, 2].map(() => new ClientTable(createClientTable(100)));
  const limits = new ClientLimits(
    {
      clients: 0,
      perDatabase: 0,
      perUser: 0,
      databases: {},
      users: {},
      ...settings,
    },
    tables,
    "admin",
  );
  return (worker: 0 | 1, database: string, user: string) => {
    const table = tables[worker] as ClientTable;
    const row = table.open("", 0, 0);
    table.identify(row, 0, user, database, "");
    const refusal = database === "admin"
      ? undefined
      : limits.refusal(database, user);
    if (refusal !== undefined) table.close(row);
    return refusal;
  };
}

Deno.test("ClientLimits: so many in all, over all workers, those of the console aside", () => {
  const enter = door({ clients: 3 });
  for (let i = 0; i < 5; i++) assert.equal(enter(0, "admin", "a"), undefined);
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

Deno.test("ClientTable: knows whose login has not ended", () => {
  const table = new ClientTable(createClientTable(10));
  const rows = [1, 2, 3].map(() => table.open("", 0, 0));
  assert.equal(table.logins, 3);
  table.setState(rows[0] as number, ClientState.idle);
  table.setState(rows[0] as number, ClientState.active);
  table.close(rows[0] as number);
  table.close(rows[1] as number);
  assert.equal(table.logins, 1);
});
