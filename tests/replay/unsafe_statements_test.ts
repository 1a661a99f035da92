import assert from "node:assert/strict";
import { loadModule } from "libpg-query";
import { Catalog } from "../../src/catalog/mod.ts";
import { SessionStatements } from "../../src/replay/session_statements.ts";
import { UnsafeStatements } from "../../src/replay/unsafe_statements.ts";
import { ShapeCache } from "../../src/sql/shape_cache.ts";
import { messageOf, QUERY } from "../../src/wire/mod.ts";

await loadModule();

const CATALOG = new Catalog([
  ["path", "public"],
  ["relation", "t", "1", "public"],
  ["relation", "orders", "2", "public"],
  ["relation", "orders", "3", "remote"],
  ["foreign", "orders", "3", "remote"],
  ["function", "tf", "begin return new; end", "9"],
  ["trigger", "t", "create trigger x before insert on t execute function tf()"],
]);

/** What of statements that come one after the other, while nobody has read the catalog again, is never replayed. */
function kindsOf(...texts: string[]): readonly string[] {
  const statements = new SessionStatements(new ShapeCache(1_000));
  const unsafe = new UnsafeStatements();
  let kinds: readonly string[] = [];
  for (const text of texts) {
    const bytes = messageOf(QUERY, `${text}\0`);
    const { shapes } = statements.cycle(bytes, 0, bytes.length);
    kinds = unsafe.of([shapes], CATALOG, false);
  }
  return kinds;
}

const UNSAFE:
  readonly (readonly [name: string, kind: string, ...texts: string[]])[] = [
    [
      "a COPY of a query to a file, in a text that does not parse",
      "copy_file",
      "selec 1; copy (select i from generate_series(1, 3) i) to '/x' (format csv)",
    ],
    [
      "a COPY from a program, in a text that does not parse",
      "copy_program",
      "selec 1; copy t (a) from program 'ls'",
    ],
    [
      "a trigger's function that was just replaced",
      "dblink",
      "create or replace function tf() returns trigger language plpgsql as $$ begin perform dblink_exec('c', 'x'); return new; end $$",
      "insert into t values (1)",
    ],
    [
      "a function that was defined behind the one that calls it",
      "pg_terminate_backend",
      "create function a() returns void language plpgsql as $$ begin perform b(); end $$",
      "create function b() returns void language sql as $$ select pg_terminate_backend(1) $$",
      "select a()",
    ],
    [
      "a foreign table that was just made",
      "foreign_write",
      "create foreign table ft (a int) server s",
      "insert into ft values (1)",
    ],
    [
      "a function by its new name",
      "pg_terminate_backend",
      "create function a() returns bool language sql as $$ select pg_terminate_backend(1) $$",
      "alter function a() rename to b",
      "select b()",
    ],
    [
      "a function that a block makes",
      "pg_terminate_backend",
      "do $d$ begin create function a() returns bool language sql as $$ select pg_terminate_backend(1) $$; end $d$",
    ],
    [
      "an argument of EXECUTE",
      "pg_terminate_backend",
      "prepare p (bool) as select $1",
      "execute p (pg_terminate_backend(123))",
    ],
    [
      "a name that was taken",
      "pg_terminate_backend",
      "prepare p as select pg_terminate_backend(1)",
      "prepare p as select 1",
      "execute p",
    ],
    [
      "a query that tablefunc runs",
      "pg_terminate_backend",
      "select * from crosstab('select 1, 2, pg_terminate_backend(3)') as c (a int, b bool)",
    ],
    [
      "a foreign table by its schema",
      "foreign_write",
      "insert into remote.orders values (1)",
    ],
    [
      "a large COPY of a file",
      "copy_file",
      `copy t from '/${"x".repeat(300_000)}'`,
    ],
    [
      "a large block",
      "pg_terminate_backend",
      `do $$ begin perform '${
        "x".repeat(300_000)
      }'; perform pg_terminate_backend(1); end $$`,
    ],
  ];

for (const [name, kind, ...texts] of UNSAFE) {
  Deno.test(`UnsafeStatements: ${name}`, () => {
    assert.deepEqual(kindsOf(...texts), [kind]);
  });
}

const SAFE: readonly (readonly [name: string, ...texts: string[]])[] = [
  [
    "a COPY of a query to the client, in a text that does not parse",
    "selec 1; copy (select i from generate_series(1, 3) i) to stdout (format csv)",
  ],
  [
    "a table whose name another schema has for a foreign one",
    "insert into orders values (1)",
  ],
  [
    "a foreign table that is read",
    "create foreign table ft (a int) server s",
    "select * from ft",
  ],
  ["a trigger's function as it was", "insert into t values (1)"],
  [
    "a large upsert that talks of copies and dblink",
    `insert into posts values (1, '${
      "x".repeat(300_000)
    }'), (2, 'here is a copy to all, by dblink') on conflict (id) do update set a = 1`,
  ],
  [
    "a large query with a column named copy",
    `insert into ads (id, copy) select id, copy from old_ads where t <> '${
      "x".repeat(300_000)
    }'`,
  ],
  ["a block that makes a table", "do $$ begin create table x (a int); end $$"],
  ["EXECUTE with a value", "prepare p (int) as select $1", "execute p (1)"],
];

for (const [name, ...texts] of SAFE) {
  Deno.test(`UnsafeStatements: ${name} is replayed`, () => {
    assert.deepEqual(kindsOf(...texts), []);
  });
}
