import assert from "node:assert/strict";
import { loadModule } from "libpg-query";
import { startupIsolation } from "../../src/sql/mod.ts";
import { ShapeCache } from "../../src/sql/shape_cache.ts";

await loadModule();

const encoder = new TextEncoder();
const SNAPSHOT = "snapshot";
const COMMITTED = "read committed";

/** By its text: of what, and which level. */
const STATEMENTS: readonly [string, string | undefined, string?][] = [
  ["begin", undefined],
  ["begin read only", undefined],
  ["begin isolation level read committed", "transaction", COMMITTED],
  [
    "start transaction read only, isolation level serializable",
    "transaction",
    SNAPSHOT,
  ],
  ["begin isolation level repeatable read", "transaction", SNAPSHOT],
  [
    "set transaction isolation level read uncommitted",
    "transaction",
    COMMITTED,
  ],
  ["set transaction isolation level serializable", "transaction", SNAPSHOT],
  ["set local transaction_isolation = 'serializable'", "transaction", SNAPSHOT],
  [
    "set session characteristics as transaction isolation level serializable",
    "session",
    SNAPSHOT,
  ],
  [
    "set default_transaction_isolation = 'read committed'",
    "session",
    COMMITTED,
  ],
  ["set default_transaction_isolation = 'serializable'", "session", SNAPSHOT],
  [
    "set default_transaction_isolation = 'REPEATABLE READ'",
    "session",
    SNAPSHOT,
  ],
  [
    "set default_transaction_isolation = 'read uncommitted'",
    "session",
    COMMITTED,
  ],
  ["set local default_transaction_isolation = 'serializable'", undefined],
  ["set default_transaction_isolation to default", "session"],
  ["reset default_transaction_isolation", "session"],
  ["reset all", "session"],
  ["discard all", "session"],
  ["discard temp", undefined],
  ["set search_path = 'serializable'", undefined],
  ["select 'serializable'", undefined],
];

Deno.test("isolation: a statement tells of what it sets the level, whichever texts came before", () => {
  const shapes = new ShapeCache(100);
  for (const order of [STATEMENTS, STATEMENTS.toReversed()]) {
    for (const [text, of, level] of order) {
      const bytes = encoder.encode(text);
      const [shape] = shapes.get(bytes, 0, bytes.length).shapes;
      const { isolation } = shape ?? {};
      assert.deepEqual([isolation?.of, isolation?.level], [of, level], text);
    }
  }
});

Deno.test("isolation: a client may ask for a level when it connects", () => {
  const cases: readonly [string, string][] = [
    ["user\0a\0", COMMITTED],
    ["user\0a\0default_transaction_isolation\0serializable\0", SNAPSHOT],
    [
      "options\0-c default_transaction_isolation=repeatable\\ read\0",
      SNAPSHOT,
    ],
    [
      "options\0-c geqo=off --default-transaction-isolation=serializable\0",
      SNAPSHOT,
    ],
    ["options\0-cdefault_transaction_isolation=read\\ committed\0", COMMITTED],
    [
      "default_transaction_isolation\0read committed\0options\0-c default_transaction_isolation=serializable\0",
      COMMITTED,
    ],
    ["application_name\0default_transaction_isolation\0", COMMITTED],
  ];
  for (const [parameters, level] of cases) {
    assert.equal(startupIsolation(parameters), level, parameters);
  }
});
