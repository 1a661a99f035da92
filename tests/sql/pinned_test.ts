import assert from "node:assert/strict";
import { loadModule } from "libpg-query";
import { Writes } from "../../src/judge/mod.ts";
import { SessionStatements } from "../../src/replay/session_statements.ts";
import { ShapeCache } from "../../src/sql/shape_cache.ts";
import type { TouchedRows } from "../../src/sql/pinned_values.ts";
import {
  concat,
  int16,
  int32,
  message,
  query,
} from "../support/wire_client.ts";

await loadModule();

/** The rows of the last result, as `relation column=value …`; empty: any. */
function touched(...messages: Uint8Array[]): string {
  const session = new SessionStatements(new ShapeCache(100));
  const bytes = concat(messages);
  const { shapes, rows } = session.cycle(bytes, 0, bytes.length);
  const last = rows[shapes.length - 1];
  if (last === undefined) return "";
  const values = last.values.map(({ column, text }) => `${column}=${text}`);
  return [last.relation, ...values].join(" ");
}

const TEXTS: readonly (readonly [sql: string, rows: string])[] = [
  ["select * from t where id = 7", "t id=7"],
  ["select * from t where id = '7'", "t id=7"],
  ["select * from t where 7 = id", "t id=7"],
  ["select * from s.t x where x.id = 7 and b > 3 and a = 'it'", "t id=7 a=it"],
  ["select 1, 'x', $$y$$ from t where a = 'z' limit 3", "t a=z"],
  [
    "select 'a' /* 'b' */, e'\\'' from t -- 'd'\n where \"q'1\" = 5",
    "t q'1=5",
  ],
  ["select 'a'\n'b' from t where a = 'z'", "t a=z"],
  ["select * from t where id = 7::bigint", "t id=7"],
  ["update t set a = 3 where id = 7 returning *", "t id=7"],
  ["delete from t where id = 7 and k = 'x'", "t id=7 k=x"],
  ["insert into t (id, a, c) values (7, 'x', now())", "t id=7 a=x"],
  ["select * from t where id = 7 and exists (select from u)", "t id=7"],
  // Any row:
  ["select * from t where id = 7 or b = 3", ""],
  ["select * from t where not id = 7", ""],
  ["select * from t where id > 7", ""],
  ["select * from t where id = -7", ""],
  ["select * from t where id = 7.5", ""],
  ["select * from t where a = 'x''y'", ""],
  ["select * from t where a = e'\\x41'", ""],
  ["select * from t where a = 'abc'::varchar(2)", ""],
  ["select * from t where a = upper('abc')", ""],
  ["select * from t where id operator(s.=) 7", ""],
  ["select * from t, u where id = 7", ""],
  ["select * from t where id = 7 union select * from t", ""],
  ["select * from t where id = 7 and a = (select max(a) from t)", ""],
  ["with x as (select 1) select * from t where id = 7", ""],
  ["update t set id = 8 where id = 7", ""],
  ["update t set a = 8 from u where id = 7", ""],
  ["insert into t (id) values (7), (8)", ""],
  ["insert into t values (7)", ""],
  ["insert into t (id) values (7) on conflict do nothing", "t id=7"],
  [
    "insert into t (id, a) values (7, 'x') on conflict (id) do update set a = excluded.a",
    "t id=7",
  ],
  [
    "insert into t (id, a) values (7, 'x') on conflict (a) do nothing",
    "t id=7 a=x",
  ],
  ["insert into t (id) values (7) on conflict (id) do update set id = 8", ""],
  ["insert into t (id) select 7", ""],
  // How many values a list has differs from text to text.
  ["select * from t where a in (1, 2) and id = 7", ""],
  ["select * from t where a = any(array[1, 2]) and id = 7", ""],
  ["select * from t where a in (select 1 from u order by 1) and id = 7", ""],
  // As the server reads it, and not as it begins:
  ["select * from t where id = 0x10", ""],
  ["select * from t where id = 1_000", ""],
  ["select * from t where id = - /* 5 */ 7", ""],
  ["select * from t where a = U&'d!0061t' uescape '!'", ""],
  ["select * from t where a = b'101'", ""],
  ["select * from t where a = e'x'", "t a=x"],
  ["insert into t (id, a) overriding user value values (7, 'x')", ""],
  ["insert into t (id[1], a) values (7, 'x')", "t a=x"],
  ["update t set c[1] = 3 where c = 'x' and id = 7", "t id=7"],
];
for (const [sql, rows] of TEXTS) {
  Deno.test(`pinned rows: ${sql.replaceAll("\n", " ")}`, () => {
    assert.equal(touched(query(sql)), rows);
  });
}

Deno.test("pinned rows: parameters, with values that stand in the text", () => {
  const text =
    "select * from t where k = $2 and id = $1 and a = 'x' and b in ($3, $4)";
  const prepared = parse("p", text);
  assert.equal(
    touched(prepared, bind("", "p", ["7", "8", "1", "2"]), execute()),
    "t id=7 k=8",
  );
  assert.equal(
    touched(
      parse("", "delete from t where id = $1 and a = 'x'"),
      bind("", "", ["7"]),
      execute(),
    ),
    "t a=x id=7",
  );
  // NULL is equal to nothing, a cut off message says nothing.
  assert.equal(
    touched(
      parse("", "select from t where id = $1"),
      bind("", "", [null]),
      execute(),
    ),
    "",
  );
});

Deno.test("pinned rows: parameters in another order, or literals in their place, are other texts", () => {
  const session = new SessionStatements(new ShapeCache(100));
  const rowsOf = (sql: string, values: readonly string[]) => {
    const bytes = concat([parse("", sql), bind("", "", values), execute()]);
    const { rows } = session.cycle(bytes, 0, bytes.length);
    return (rows[0]?.values ?? []).map(({ column, text }) =>
      `${column}=${text}`
    ).join(" ");
  };
  const asked: [sql: string, values: string[], rows: string][] = [
    ["update t set a = $1 where id = $2", ["100", "5"], "id=5"],
    ["update t set a = $2 where id = $1", ["5", "100"], "id=5"],
    ["insert into t (id, k) values ($1, $2)", ["5", "9"], "id=5 k=9"],
    ["insert into t (id, k) values ($2, $1)", ["9", "5"], "k=9 id=5"],
    ["delete from t where k = $1 and id = 7", ["3"], "id=7 k=3"],
    ["delete from t where k = '3' and id = 7", [], "k=3 id=7"],
    [
      "delete from t where k = $1 and j = $1 and id = $2",
      ["3", "7"],
      "k=3 j=3 id=7",
    ],
  ];
  for (const [sql, values, rows] of asked) {
    assert.equal(rowsOf(sql, values), rows, sql);
  }
});

Deno.test("pinned rows: a binary value is the column's, or an integer that is cast", () => {
  const binary = (sql: string, value = 5) =>
    touched(
      parse("", sql),
      message(
        "B",
        "\0\0",
        int16(1),
        int16(1),
        int16(1),
        int32(4),
        int32(value),
        int16(0),
      ),
      execute(),
    );
  assert.equal(binary("delete from t where id = $1"), "t id=\0\0\0\x05");
  // In Windows-1252 it would be another character.
  assert.equal(
    binary("delete from t where id = $1", 0x80),
    "t id=\0\0\0\x80",
  );
  assert.equal(binary("delete from t where id = $1::text"), "");
  // An integer says of which length it is.
  assert.equal(binary("delete from t where id = $1::int8"), "t id=5");
  assert.equal(binary("delete from t where id = $1::int8::text"), "");
});

Deno.test("pinned rows: one shape, one row and two", () => {
  const one = query("insert into t (id) values (7)");
  const two = query("insert into t (id) values (7), (8)");
  const session = new SessionStatements(new ShapeCache(100));
  const rows = (bytes: Uint8Array) =>
    session.cycle(bytes, 0, bytes.length).rows.length;
  assert.deepEqual([rows(one), rows(two), rows(one)], [1, 0, 1]);
});

function parse(name: string, sql: string): Uint8Array {
  return message("P", `${name}\0${sql}\0`, int16(0));
}

function bind(
  portal: string,
  name: string,
  values: readonly (string | null)[],
): Uint8Array {
  return message(
    "B",
    `${portal}\0${name}\0`,
    int16(0),
    int16(values.length),
    ...values.flatMap((value) =>
      value === null ? [int32(-1)] : [int32(value.length), value]
    ),
    int16(0),
  );
}

function execute(): Uint8Array {
  return message("E", "\0", int32(0));
}

const rowsOf = (
  values: Readonly<Record<string, string | Uint8Array>>,
): TouchedRows => ({
  relation: "t",
  values: Object.entries(values).map(([column, value]) => ({
    column,
    ...typeof value === "string" ? { isBinary: false, text: value } : {
      isBinary: true,
      text: String.fromCharCode(...value),
    },
  })),
});

const UUID = "0123abcd-0000-4000-8000-0123456789ab";
const bytes = (hex: string) => Uint8Array.fromHex(hex);

const TYPES: Readonly<Record<string, number>> = {
  int4: 23,
  int8: 20,
  uuid: 2950,
  text: 25,
  numeric: 1700,
  citext: 16_500,
};

/** Of a type, two values, and whether a row may have both. */
const VALUES: readonly (readonly [
  type: string,
  string | Uint8Array,
  string | Uint8Array,
  boolean,
])[] = [
  ["int4", "7", "8", false],
  ["int4", "7", " 07", true],
  ["int4", "7", "-7", false],
  ["int4", "0", "-0", true],
  ["int4", "7", bytes("00000007"), true],
  ["int8", "7", bytes("0000000000000008"), false],
  ["int8", "-1", bytes("ffffffff"), true],
  ["int8", "5", bytes("4014000000000000"), true], // 5 as float8
  ["int8", "7", "1_000", true],
  ["uuid", UUID, UUID.toUpperCase(), true],
  ["uuid", UUID, bytes(UUID.replaceAll("-", "")), true],
  ["uuid", UUID, UUID.replace("a", "b"), false],
  ["text", "a", "b", false],
  ["text", "Résumé", "resume", true],
  ["text", "A-b", "ab", true],
  ["numeric", "7", "8", true],
  ["citext", "a", "b", true],
];
for (const [type, a, b, together] of VALUES) {
  Deno.test(`Writes: ${type} ${a} and ${b} are ${together ? "" : "not "}one row`, () => {
    const writes = new Writes();
    writes.add({ writes: ["t"] }, rowsOf({ k: a }));
    assert.equal(
      writes.touches("t", rowsOf({ k: b }), () => TYPES[type]),
      together,
    );
  });
}

Deno.test("Writes: any row where one is not known, or there are too many", () => {
  const read = rowsOf({ k: "7" });
  const type = () => 23;
  const writes = new Writes();
  assert.equal(writes.touches("t", read, type), false);
  for (let i = 10; i < 74; i++) {
    writes.add({ writes: ["t"] }, rowsOf({ k: `${i}` }));
  }
  assert.equal(writes.touches("t", read, type), false);
  assert.equal(writes.touches("t", undefined, type), true);
  assert.equal(writes.touches("t", rowsOf({ j: "7" }), type), true);
  assert.equal(writes.touches("u", read, type), false);
  writes.add({ writes: ["t"] }, rowsOf({ k: "74" }));
  assert.equal(writes.touches("t", read, type), true);
});
