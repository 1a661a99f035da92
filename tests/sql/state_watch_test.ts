import assert from "node:assert/strict";
import { StateWatch } from "../../src/sql/mod.ts";
import { Framer } from "../../src/wire/mod.ts";
import { concat, int16, message, query } from "../support/wire_client.ts";

const DATA = message("d", "set x = 1; prepare p as select 1\n");
const parse = (name: string, sql: string) =>
  message("P", `${name}\0${sql}\0`, int16(0));

const LONG = "x".repeat(9_000);
const CASES: readonly [messages: Uint8Array[], touched: boolean][] = [
  [[query("select 1"), DATA, query("insert into t values (1)")], false],
  [[query(`insert into t values ('${LONG}')`), DATA], false],
  [[query(`insert into t values ('${LONG}; select 1')`)], false],
  [[query("begin; set local a = 1; select 1")], false],
  [[message("C", "Pp\0"), parse("", "select 1"), DATA], false],
  [[DATA, parse("named", "select 1")], true],
  [[DATA, message("C", "Snamed\0")], true],
  [[query("SET a = 1")], true],
  [[parse("", "set a = 1")], true],
  [[query(`/* ${LONG} */ select 1`)], true], // who knows
  [[query(`insert into t values ('${LONG}'); set a = 1`)], true],
  [[query(`insert into t values ('${LONG}')`), query("prepare p as x")], true],
  [[query("select 1; create temp table t ()")], true],
  [[query("select 1 as a into temp t")], true],
  [[query(`declare c cursor with hold for select 1`)], true],
];

function touched(bytes: Uint8Array, size: number): boolean {
  const watch = new StateWatch();
  for (let at = 0; at < bytes.length; at += size) {
    const chunk = bytes.slice(at, at + size);
    watch.take(chunk, chunk.length);
  }
  return watch.touched;
}

Deno.test("StateWatch: says the same, however the messages are cut", () => {
  for (const [messages, expected] of CASES) {
    const bytes = concat(messages);
    for (const size of [1, 2, 7, 4096, bytes.length]) {
      const text = new TextDecoder().decode(bytes.subarray(0, 60));
      assert.equal(touched(bytes, size), expected, `${size}: ${text}`);
    }
  }
});

Deno.test("StateWatch: of two that share a stream, one sees the state, wherever it is cut", () => {
  for (const [messages, expected] of CASES) {
    const bytes = concat(messages);
    if (bytes.length > 200 || !expected) continue;
    for (let cut = 0; cut <= bytes.length; cut++) {
      const head = bytes.slice(0, cut);
      const first = new StateWatch();
      first.take(head, cut);
      first.end();
      const framer = new Framer();
      for (let at = 0; at < cut;) at = framer.step(head, at, cut);
      const second = new StateWatch(framer);
      second.take(bytes.slice(cut), bytes.length - cut);
      assert.ok(first.touched || second.touched, `cut at ${cut}`);
    }
  }
});
