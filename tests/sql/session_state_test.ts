import assert from "node:assert/strict";
import { sessionState } from "../../src/sql/mod.ts";
import {
  concat,
  int16,
  int32,
  message,
  query,
} from "../support/wire_client.ts";

const parse = (name: string, sql: string, ...types: number[]) =>
  message("P", `${name}\0${sql}\0`, int16(types.length), ...types.map(int32));

function state(...messages: Uint8Array[]) {
  const { repeat, closed, lost } = sessionState(concat(messages));
  const texts = repeat.map(({ key, message: bytes }) => [
    key,
    new TextDecoder().decode(bytes.slice(0, 1)),
    new TextDecoder().decode(bytes.slice(5)).split("\0").slice(0, 2).join("|"),
  ]);
  return { texts, closed, lost };
}

Deno.test("sessionState: a SET through Parse is repeated as a Query, a parameter's value can't be", () => {
  const set = ["set a", "Q", "set a = 'ü'|"];
  assert.deepEqual(state(parse("", "set a = 'ü'")), {
    texts: [set],
    closed: [],
    lost: false,
  });
  assert.deepEqual(state(parse("n", "set a = 'ü'")), {
    texts: [["statement n", "P", "n|set a = 'ü'"], set],
    closed: [],
    lost: false,
  });
  assert.ok(state(parse("", "select set_config('a', $1, false)", 25)).lost);
  assert.ok(state(parse("n", "create temp table t ()")).lost);
  const none = { texts: [], closed: [], lost: false };
  assert.deepEqual(state(parse("", "set local a = 1")), none);
  // 59 is a semicolon among the types.
  assert.deepEqual(state(parse("", "select $1", 59)), none);
});

Deno.test("sessionState: SELECT INTO TEMP is state that can't be repeated", () => {
  for (
    const sql of [
      "select 1 as a into temp t",
      "SELECT 1 AS a INTO LOCAL TEMPORARY TABLE t",
      "with x as (select 1 as a) select a\ninto\ttemp t from x",
    ]
  ) {
    assert.ok(state(query(sql)).lost, sql);
    assert.ok(state(parse("", sql)).lost, sql);
  }
  for (
    const sql of [
      "select temp from t",
      "select temperature, 'into' from t",
      "with x as (select 1) insert into temperature select * from x",
      "select 1 into t",
    ]
  ) {
    const { texts, lost } = state(query(sql), parse("", sql));
    assert.deepEqual({ texts, lost }, { texts: [], lost: false }, sql);
  }
});

Deno.test("sessionState: a set_config of the transaction is no state of the session", () => {
  const state = (sql: string) => sessionState(parse("", sql));
  for (
    const sql of [
      "select set_config('request.jwt.claims', $1, true)",
      "select pg_catalog.set_config('a.b', $1::text, true), set_config('role', 'x', TRUE)",
      "SELECT set_config($1, $2, true)",
    ]
  ) {
    const { repeat, lost } = state(sql);
    assert.deepEqual([repeat, lost], [[], false], sql);
  }
  for (
    const sql of [
      "select set_config('a.b', $1, false)",
      "select set_config('a.b', $1, $2)",
      "select set_config('a.b', $1, true), set_config('a.c', $1, false)",
      "select set_config('a.b', 'c', true) as x into temp t",
    ]
  ) assert.equal(state(sql).lost, true, sql);
  const keys = (sql: string) => state(sql).repeat.map(({ key }) => key);
  assert.deepEqual(keys("select set_config('App.User', '7', false)"), [
    "set app.user",
  ]);
});

Deno.test("sessionState: long texts cost no more than their length", () => {
  const texts = [
    `deallocate x${" ".repeat(200_000)}y`,
    `select set_config('a', '${"x".repeat(12_000_000)}', false)`,
    `set a = 1${" ".repeat(200_000)};${" ".repeat(200_000)}set b = 2`,
    `prepare "${"x".repeat(12_000_000)}" as select 1`,
  ];
  for (const sql of texts) sessionState(query(sql));
});
