import assert from "node:assert/strict";
import { loadModule } from "libpg-query";
import { Catalog } from "../../src/catalog/mod.ts";
import { Footprints } from "../../src/replay/footprint.ts";
import { type Meeting, meetingOf } from "../../src/replay/meeting.ts";
import { SessionStatements } from "../../src/replay/session_statements.ts";
import { ShapeCache } from "../../src/sql/shape_cache.ts";
import { query } from "../support/wire_client.ts";

await loadModule();

const INT = 23;
const TEXT = 25;

/** As the catalog's question gives it: columns are number, name, type, flags, default. */
function table(
  name: string,
  oid: string,
  columns: readonly (readonly [string, number, string?])[],
  ...uniques: string[]
): string[][] {
  return [
    ["relation", name, oid],
    [
      "columns",
      oid,
      JSON.stringify(
        columns.map(([column, type, value], i) => [
          i + 1,
          column,
          type,
          "",
          value ?? null,
        ]),
      ),
    ],
    ...uniques.map((unique) => ["unique", oid, unique]),
  ];
}

const AB = [["id", INT], ["a", INT], ["b", TEXT]] as const;
const CATALOG = new Catalog([
  ...table("plain", "1", AB, "id"),
  ...table("emails", "2", AB, "id", "b"),
  ...table("tenants", "3", AB, "a\nid", "a\nb"),
  ...table("lines", "4", AB),
  ...table(
    "numbered",
    "5",
    [["id", INT, "nextval('n'::regclass)"], ["a", INT]],
    "id",
  ),
  ...table("bookings", "6", AB, "id"),
  ["excluding", "6", ""],
  ...table("audited", "7", AB, "id"),
  ["trigger", "audited", "begin insert into lines values (new.id); end"],
  ...table("counted", "8", AB, "id"),
  ["trigger", "counted", "begin update counted set a = 1; end"],
  ...table("child", "9", AB, "id"),
  ["reference", "child", "plain", ""],
  ...table("log", "10", [["id", INT, "nextval('l'::regclass)"], ["a", INT]]),
  ["function", "own", "begin return 1; end"],
]);
const footprints = new Footprints();

function meeting(sql: string): Meeting {
  const bytes = query(sql);
  const session = new SessionStatements(new ShapeCache(100));
  const { shapes: [shape], rows: [rows] } = session.cycle(
    bytes,
    0,
    bytes.length,
  );
  assert.ok(shape);
  return meetingOf(footprints.of(shape, CATALOG, true), rows);
}

/** Whether one waits for another that came before it, or the other way round. */
function meet(a: string, b: string): boolean {
  const waits = (one: Meeting, other: Meeting) =>
    one.touched === "all" || other.written === "all" ||
    one.touched.some((name) => other.written.includes(name));
  const [one, other] = [meeting(a), meeting(b)];
  const found = waits(one, other) || waits(other, one);
  return found;
}

const UPDATE = "update plain set a = 1 where id = 1";

Deno.test("meetingOf: statements of other rows do not meet, of the same row or any they do", () => {
  for (
    const [sql, met] of [
      ["update plain set a = 2 where id = 2", false],
      ["update plain set a = 2 where id = '2'", false],
      ["select * from plain where id = 2", false],
      ["select * from plain where id = 2 for update", false],
      ["delete from plain where id = 2", false],
      ["insert into plain (id, a) values (2, 2)", false],
      ["select * from lines", false],
      ["update plain set a = 2 where id = 1", true],
      ["select * from plain where id = 1 and b = 'x'", true],
      ["select * from plain where id = 1 for update", true],
      ["delete from plain where id = 1", true],
      ["insert into plain (id, a) values (1, 2)", true],
      ["select * from plain where a = 2", true],
      ["select count(*) from plain", true],
      ["update plain set a = 2", true],
      ["update plain set a = 2 where id in (2, 3)", true],
      ["update plain set id = 1 where id = 2", true],
      ["insert into plain (id, a) values (2, 2), (3, 3)", true],
      ["insert into plain values (2, 2)", true],
      ["insert into plain select 2, 2", true],
      ["delete from plain where id > 1", true],
      ["delete from plain where id = 2 or a = 1", true],
      ["select own() from plain where id = 2", true],
      ["truncate plain", true],
      ["insert into child (id, a) values (2, 1)", true],
    ] as const
  ) assert.equal(meet(UPDATE, sql), met, sql);
});

Deno.test("meetingOf: another unique key, a constraint or a trigger may make other rows meet", () => {
  for (
    const [a, b, met] of [
      // The address may be the one that the other gives up.
      ["emails set a = 1 where id = 1", "emails set a = 1 where id = 2", false],
      [
        "emails set b = 'x' where id = 1",
        "emails set a = 1 where id = 2",
        true,
      ],
      [
        "tenants set b = 'x' where a = 1",
        "tenants set b = 'x' where a = 2",
        false,
      ],
      [
        "tenants set b = 'x' where id = 1",
        "tenants set b = 'x' where id = 2",
        true,
      ],
      [
        "bookings set a = 1 where id = 1",
        "bookings set a = 1 where id = 2",
        true,
      ],
      [
        "counted set a = 1 where id = 1",
        "counted set a = 1 where id = 2",
        true,
      ],
      [
        "audited set b = 'x' where id = 1",
        "audited set b = 'x' where id = 2",
        true,
      ],
      [
        "nowhere set a = 1 where id = 1",
        "nowhere set a = 1 where id = 2",
        true,
      ],
    ] as const
  ) assert.equal(meet(`update ${a}`, `update ${b}`), met, `${a}; ${b}`);
  for (
    const [a, b, met] of [
      [
        "delete from emails where id = 1",
        "insert into emails (id, b) values (2, 'x')",
        true,
      ],
      [
        "delete from tenants where a = 1",
        "insert into tenants (a, id, b) values (2, 1, 'x')",
        false,
      ],
    ] as const
  ) assert.equal(meet(a, b), met, `${a}; ${b}`);
});

Deno.test("meetingOf: rows that nothing keeps apart come in any order, but not those that draw numbers", () => {
  const insert = "insert into lines (id, a) values (1, 1)";
  for (
    const [a, b, met] of [
      [insert, insert, false],
      [insert, "insert into lines select id, a from plain", false],
      [insert, "insert into lines select * from lines", true],
      [insert, "select count(*) from lines", true],
      [insert, "delete from lines where id = 1", true],
      [
        "insert into log (a) values (1)",
        "insert into log (a) values (1)",
        true,
      ],
      [
        "insert into log (id, a) values (1, 1)",
        "insert into log (id, a) values (2, 1)",
        false,
      ],
      [
        "insert into numbered (a) values (1)",
        "insert into numbered (a) values (1)",
        true,
      ],
    ] as const
  ) assert.equal(meet(a, b), met, `${a}; ${b}`);
});
