import assert from "node:assert/strict";
import { loadModule } from "libpg-query";
import { SessionStatements } from "../../src/replay/session_statements.ts";
import { ShapeCache } from "../../src/sql/shape_cache.ts";
import {
  concat,
  int16,
  int32,
  message,
  query,
} from "../support/wire_client.ts";

await loadModule();

function session() {
  const statements = new SessionStatements(new ShapeCache(100));
  return (...messages: Uint8Array[]) => {
    const bytes = concat(messages);
    return statements.cycle(bytes, 0, bytes.length).shapes;
  };
}

Deno.test("SessionStatements: EXECUTE is what PREPARE named", () => {
  const cycle = session();
  cycle(query("prepare p as select now()"));
  const [execute] = cycle(query("execute p"));
  assert.equal(execute?.outputs?.[0]?.trait.parts[0]?.mask, "time");
  assert.match(execute?.text ?? "", /^prepare p as/i);
  const [, second] = cycle(query("prepare q as select a from t; execute q"));
  assert.deepEqual(second?.reads, ["t"]);
  assert.deepEqual(second?.outputs?.[0]?.trait.parts, []);
  assert.equal(cycle(query("execute unheard_of"))[0]?.isParsed, false);
});

Deno.test("SessionStatements: FETCH gives a part of what DECLARE named", () => {
  const cycle = session();
  cycle(query("declare c cursor for select a from t"));
  assert.equal(cycle(query("fetch 5 from c"))[0]?.limited, true);
  cycle(query("declare d cursor for select a from t order by a"));
  const [fetch] = cycle(query("fetch 5 from d"));
  assert.equal(fetch?.outputs?.length, 1);
  assert.deepEqual(fetch?.orderBy, ["a"]);
});

Deno.test("SessionStatements: an Execute with a row limit gives a part", () => {
  const cycle = session();
  const execute = (limit: number) =>
    cycle(
      message("P", "\0select a from t\0", int16(0)),
      message("B", "\0\0", int16(0), int16(0), int16(0)),
      message("E", "\0", int32(limit)),
      message("S"),
    )[0];
  assert.equal(execute(0)?.limited, false);
  assert.equal(execute(7)?.limited, true);
  assert.equal(execute(256)?.limited, true);
});

Deno.test("SessionStatements: a FunctionCall is named by its function", () => {
  const cycle = session();
  const call = (oid: number) =>
    cycle(message("F", int32(oid), int16(0), int16(0), int16(0)))[0];
  assert.equal(call(954)?.text, "(function call) loread");
  assert.equal(call(16_400)?.text, "(function call) of OID 16400");
  assert.equal(call(954)?.fingerprint, call(954)?.fingerprint);
  assert.notEqual(call(954)?.fingerprint, call(955)?.fingerprint);
});

Deno.test("SessionStatements: what stands between the elements of a list is told by the text, or by Bind", () => {
  const cycle = session();
  const told = (...messages: Uint8Array[]) =>
    cycle(...messages).at(-1)?.separators;
  const join = (separator: string) =>
    `select string_agg(a, ${separator}) from t`;
  assert.deepEqual(told(query(join("', '"))), [", "]);
  assert.deepEqual(told(query(join("';'"))), [";"]);
  assert.deepEqual(told(query(join("';'"))), [";"]);
  assert.equal(told(query("select a from t")), undefined);
  cycle(query(`prepare p as ${join("'/'")}`));
  assert.deepEqual(told(query("execute p")), ["/"]);
  cycle(query(`declare c cursor for ${join("'|'")}`));
  assert.deepEqual(told(query("fetch 5 from c")), ["|"]);
  const parse = message("P", `s\0${join("$2")}\0`, int16(0));
  const values = [int32(-1), int32(2), "; "];
  const bind = (count: number, ...values: (string | Uint8Array)[]) =>
    message("B", "\0s\0", int16(0), int16(count), ...values, int16(0));
  const execute = message("E", "\0", int32(0));
  assert.deepEqual(told(parse, bind(2, ...values), execute), ["; "]);
  // Later by its name, and with another value
  assert.deepEqual(told(bind(2, int32(-1), int32(1), ","), execute), [","]);
  assert.deepEqual(told(bind(2, int32(-1), int32(-1)), execute), [2]);
  assert.deepEqual(told(bind(2, int32(-1), int32(99)), execute), [2]);
});

Deno.test("SessionStatements: a cycle that describes one statement and runs another says so", () => {
  const statements = new SessionStatements(new ShapeCache(100));
  const described = (...messages: Uint8Array[]) => {
    const bytes = concat(messages);
    const asked = statements.cycle(bytes, 0, bytes.length);
    return [
      asked.shapes.map(({ text }) => text),
      [...asked.described].map(([i, shapes]) => [
        i,
        shapes.map(({ text }) => text),
      ]),
    ];
  };
  const parse = (name: string) =>
    message("P", `${name}\0select ${name}\0`, int16(0));
  const describe = (what: string) => message("D", `${what}\0`);
  const bind = (name: string) =>
    message("B", `\0${name}\0`, int16(0), int16(0), int16(0));
  const execute = message("E", "\0", int32(0));
  const sync = message("S");
  assert.deepEqual(
    described(parse("a"), describe("Sa"), bind("a"), describe("P"), execute),
    [["select a"], []],
  );
  // asyncpg looks a type up before it runs what it has described.
  assert.deepEqual(
    described(
      parse("a"),
      describe("Sa"),
      parse("b"),
      describe("Sb"),
      bind("b"),
      execute,
      sync,
    ),
    [["select b"], [[0, ["select a", "select b"]]]],
  );
  assert.deepEqual(described(describe("Sa"), bind("b"), execute, sync), [
    ["select b"],
    [[0, ["select a"]]],
  ]);
  assert.deepEqual(described(bind("b"), execute, describe("Sa"), sync), [
    ["select b", "select a"],
    [],
  ]);
  assert.deepEqual(described(bind("b"), execute, sync), [["select b"], []]);
});

Deno.test("SessionStatements: a text of more statements than a call takes arguments", () => {
  const cycle = session();
  const many = query("end;".repeat(65_000));
  assert.equal(cycle(many, query("select a")).length, 65_001);
});
