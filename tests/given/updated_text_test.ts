import assert from "node:assert/strict";
import { loadModule } from "libpg-query";
import type {
  GivenColumn,
  GivenColumns,
} from "../../src/given/given_columns.ts";
import { isUpdateProved, updatedText } from "../../src/given/updated_text.ts";
import { ShapeCache } from "../../src/sql/shape_cache.ts";

await loadModule();

const encoder = new TextEncoder();
const decoder = new TextDecoder();

function updatingOf(sql: string) {
  const bytes = encoder.encode(sql);
  const { shapes } = new ShapeCache(10).get(bytes, 0, bytes.length);
  return shapes[0]?.updating;
}

/** The columns that chance decides: `name item`, with `s` where a sequence is drawn from. */
function chancesOf(sql: string): string {
  return (updatingOf(sql)?.sets ?? []).map(({ column, item, isSequence }) =>
    `${column} ${item}${isSequence ? "s" : ""}`
  ).join(", ");
}

Deno.test("Updating: what calls, constants and parameters make is by chance, what rows have a part in is not", () => {
  const texts: readonly (readonly [sql: string, chances: string])[] = [
    ["update t set a = 1, at = now() where id = 1", "at 1"],
    ["update t set at = current_timestamp, d = current_date", "at 0, d 1"],
    ["update t set at = now() + $1 * interval '1 day'", "at 0"],
    ["update t set at = date_trunc('second', clock_timestamp())", "at 0"],
    ["update t set id = nextval('s'), u = gen_random_uuid()", "id 0s, u 1"],
    ["update t set at = greatest(at, now())", ""],
    ["update t set at = coalesce(at, now())", ""],
    ["update t set n = n + random()", ""],
    ["update t set at = (select now())", ""],
    ["update t set at = case when b then now() end", ""],
    ["update t set u = current_user", ""],
    ["update t set n = setval('s', 1)", ""],
    ["update t set (a, b) = (now(), 1)", ""],
    ["update t set a[1] = now()", ""],
    ["update t set at = default", ""],
    ["with x as (select 1) update t set at = now()", ""],
    ["delete from t", ""],
  ];
  for (const [sql, chances] of texts) {
    assert.equal(chancesOf(sql), chances, sql);
  }
});

const AT: GivenColumn = {
  name: "at",
  type: "timestamptz",
  expression: undefined,
  typeOid: 1184,
  nature: "chance",
  item: undefined,
  output: "log",
  isAlways: false,
};

function write(sql: string): string | undefined {
  const updating = updatingOf(sql);
  assert.ok(updating, sql);
  const given: GivenColumns = {
    oid: "1",
    relation: "t",
    columns: updating.sets.map(({ item, isSequence }) => ({
      ...AT,
      item,
      nature: isSequence ? "sequence" as const : "chance" as const,
    })),
    outputs: 0,
    positional: [],
    types: new Map(),
    updates: [],
    pairs: [],
  };
  const bytes = encoder.encode(sql);
  const text = updatedText(
    bytes,
    0,
    bytes.length,
    updating,
    given,
    (_, column) => `$${9 + column}`,
  );
  if (text === undefined) return undefined;
  assert.ok(isUpdateProved(bytes, text, given), decoder.decode(text));
  return decoder.decode(text);
}

Deno.test("updatedText: the values of SET, and nothing else, are written anew", () => {
  const own = "COALESCE($9::timestamptz, ((now()))::timestamptz)";
  assert.equal(
    write("update t set at = now() where id = 1"),
    `update t set at = ${own} where id = 1`,
  );
  assert.equal(
    write(
      'UPDATE ONLY "s"."t" AS x /* set */ SET "a" = f(1, 2), at = now() FROM u RETURNING 1;',
    ),
    `UPDATE ONLY "s"."t" AS x /* set */ SET "a" = f(1, 2), at = ${own} FROM u RETURNING 1;`,
  );
  assert.equal(
    write("update t x set at=now(), b = array[1, 2]"),
    `update t x set at=${own}, b = array[1, 2]`,
  );
  assert.equal(
    write("update t set at = nextval('s')"),
    "update t set at = CASE WHEN $9::timestamptz IS NULL THEN ((nextval('s')))::timestamptz WHEN (nextval('s')) IS NOT NULL THEN $9::timestamptz END",
  );
});

Deno.test("isUpdateProved: another statement is not taken for the client's", () => {
  const given: GivenColumns = {
    oid: "1",
    relation: "t",
    columns: [{ ...AT, item: 0 }],
    outputs: 0,
    positional: [],
    types: new Map(),
    updates: [],
    pairs: [],
  };
  const old = "update t set at = now(), b = 1 where id = 1";
  const own = "COALESCE($1::timestamptz, (now())::timestamptz)";
  const others = [
    `update u set at = ${own}, b = 1 where id = 1`,
    `update t set at = ${own}, b = 1`,
    `update t set at = ${own}, b = 2 where id = 1`,
    `update t set at = $1, b = 1 where id = 1`,
    `update t set at = ${own}, b = 1, c = 1 where id = 1`,
    `update t set at = ${own}, b = 1 where id = 1; select 1`,
    "not sql",
  ];
  const proved = (text: string) =>
    isUpdateProved(encoder.encode(old), encoder.encode(text), given);
  assert.ok(proved(`update t set at = ${own}, b = 1 where id = 1`));
  for (const text of others) assert.ok(!proved(text), text);
});
