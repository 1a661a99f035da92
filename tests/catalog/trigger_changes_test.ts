import assert from "node:assert/strict";
import { Catalog } from "../../src/catalog/mod.ts";

const COLUMNS = JSON.stringify(
  ["id", "a", "b", "updated_at", "Odd", "tags"].map((
    name,
    i,
  ) => [i + 1, name, 25, "", null]),
);

/** What a trigger with this function does to its table. */
function changesBy(body: string, called = "plpgsql f", args = ""): unknown {
  const catalog = new Catalog([
    ["relation", "t", "1"],
    ["columns", "1", COLUMNS, ""],
    ["function", "stamp", "select now()", "2"],
    ["changer", "1", "9", args],
    ["change", "9", body, called],
  ]);
  const changes = catalog.changedByTrigger("1");
  if (!(changes instanceof Map)) return changes;
  const open = [...changes].filter(([, nature]) => nature !== undefined);
  return open.length === 0 ? undefined : Object.fromEntries(open);
}

const BODIES: readonly [body: string, changes: unknown][] = [
  ["begin new.updated_at := now(); return new; end", { updated_at: "time" }],
  ["BEGIN\n  NEW.updated_at = now();\n RETURN NEW;\nEND;", {
    updated_at: "time",
  }],
  ['begin new . "Odd" := random(); new.nothing := random(); return new; end', {
    Odd: "chance",
  }],
  [
    "begin if new.a = now()::text then return new; end if; return null; end",
    undefined,
  ],
  [
    "begin if tg_op = 'INSERT' then new.id = gen_random_uuid(); else new.b := current_timestamp; end if; return new; end",
    {
      id: "chance",
      b: "time",
    },
  ],
  // What the client's own values decide differs on no server.
  [
    "begin new.a := lower(new.b) || ';now()'; new.updated_at := stamp(); return new; end",
    {
      updated_at: "time",
    },
  ],
  [
    "begin -- ; new.a := now();\n /* ; new.b := now(); */ return new; end",
    undefined,
  ],
  [
    "declare v text := now(); begin new.a := v; new.b := new.a; return new; end",
    {
      a: "time",
    },
  ],
  ["declare v int := 1; begin new.a := v; return new; end", undefined],
  ["begin if random() < 0.5 then new.a := 'x'; end if; return new; end", {
    a: "chance",
  }],
  ["begin select now(), 1 into strict new.a, new.b; return new; end", {
    a: "time",
    b: "time",
  }],
  ["begin select max(id) into new.a from t; return new; end", undefined],
  ["begin insert into log values (now()); return new; end", undefined],
  ["begin execute 'select 1' into new.a; return new; end", { a: "chance" }],
  ["begin new.tags[1] := now(); return new; end", { tags: "time" }],
  ["begin new := jsonb_populate_record(new, '{}'); return new; end", "all"],
  ["begin return jsonb_populate_record(new, '{}'); end", "all"],
  ["begin new := new #= hstore('a', 'b'); return new; end", "all"],
  ["begin select * into new from u; return new; end", "all"],
  ["begin call p(new); return new; end", "all"],
  ["begin for new.a in 1..3 loop null; end loop; return new; end", "all"],
  ["begin perform f($q$ ' $q$); new.a := now(); return new; end", "all"],
  [`begin ${" ".repeat(16_384)} return new; end`, "all"],
];

Deno.test("Catalog: what a trigger sets by the moment or by chance is told by column", () => {
  for (const [body, changes] of BODIES) {
    assert.deepEqual(changesBy(body), changes, body.slice(0, 200));
  }
});

Deno.test("Catalog: triggers in other languages may set anything, but for known ones", () => {
  assert.equal(changesBy("moddatetime.so", "c other"), "all");
  assert.equal(changesBy("x", "plpython3u moddatetime2"), "all");
  assert.deepEqual(
    changesBy("moddatetime", "c moddatetime", "updated_at\\000"),
    { updated_at: "time" },
  );
  const harmless = "internal suppress_redundant_updates_trigger";
  assert.equal(changesBy("x", harmless), undefined);
  assert.equal(changesBy("x", "c constructor"), "all");
});

Deno.test("Catalog: triggers of partitions and rules of views count, several together", () => {
  const catalog = new Catalog([
    ["relation", "t", "1"],
    ["relation", "t_1", "2"],
    ["relation", "v", "3"],
    ["relation", "u", "4"],
    ["child", "t_1", "t", "2 1"],
    ["changer", "2", "8", ""],
    ["changer", "2", "9", ""],
    [
      "change",
      "8",
      "begin new.a := now(); new.b := now(); return new; end",
      "plpgsql f",
    ],
    ["change", "9", "begin new.a := random(); return new; end", "plpgsql g"],
    ["changer", "3", "0", ""],
  ]);
  const expected = new Map([["a", "chance"], ["b", "time"]]);
  assert.deepEqual(catalog.changedByTrigger("1"), expected);
  assert.deepEqual(catalog.changedByTrigger("2"), expected);
  assert.equal(catalog.changedByTrigger("3"), "all");
  assert.equal(catalog.changedByTrigger("4"), undefined);
});

Deno.test("Catalog: a trigger's text of any kind is looked through in little time", () => {
  const texts = [
    "new.a := ".repeat(7_000),
    "begin " + "if ".repeat(20_000),
    " \n".repeat(30_000) + "new",
    "'".repeat(60_001),
    '"'.repeat(60_001),
    "into new ".repeat(7_000),
    "call ".repeat(12_000),
    "return ".repeat(9_000),
    "/*".repeat(30_000),
    "into a" + ".a".repeat(30_000),
    "new.a[".repeat(10_000),
  ];
  for (const text of texts) {
    const start = performance.now();
    changesBy(text.slice(0, 16_384));
    const tookMs = performance.now() - start;
    assert.ok(tookMs < 1_000, `${text.slice(0, 20)}: ${tookMs} ms`);
  }
});
