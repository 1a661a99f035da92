import assert from "node:assert/strict";
import {
  isRepeatable,
  repeatMessages,
  SessionLog,
} from "../../src/replay/session_log.ts";
import { sessionState } from "../../src/sql/mod.ts";
import { concat, message, query } from "../support/wire_client.ts";

const prepared = (name: string, sql: string) =>
  message("P", `${name}\0${sql}\0\0\0`);
const TOKYO = "set timezone to 'Asia/Tokyo'";
const LIMA = "set timezone to 'America/Lima'";

/** What is left of transactions, each its messages. */
function logOf(...transactions: readonly Uint8Array[][]): SessionLog {
  const log = new SessionLog();
  for (const messages of transactions) log.add(sessionState(concat(messages)));
  return log;
}

Deno.test("SessionLog: of two SETs of one parameter the last is brought back", () => {
  const log = logOf([query(TOKYO)], [query(LIMA)]);
  assert.equal(log.lost, false);
  assert.deepEqual(log.messages, [query(LIMA)]);
});

Deno.test("SessionLog: a prepared SET that was replaced may come back without its text", () => {
  assert.equal(logOf([prepared("a", TOKYO)]).lost, false);
  assert.equal(logOf([prepared("a", TOKYO)], [query(TOKYO)]).lost, false);
  assert.equal(logOf([prepared("a", TOKYO)], [query(LIMA)]).lost, true);
  assert.equal(logOf([prepared("a", TOKYO), prepared("b", LIMA)]).lost, true);
  assert.equal(logOf([prepared("", TOKYO)], [query(LIMA)]).lost, false);
});

Deno.test("SessionLog: behind RESET, too, but not another parameter's SET", () => {
  const reset = [query("reset timezone")];
  assert.equal(logOf([query(TOKYO)], reset).lost, false);
  assert.equal(logOf([prepared("a", TOKYO)], reset).lost, true);
  const other = [query("set search_path = a")];
  assert.equal(logOf([prepared("a", TOKYO)], other).lost, false);
});

const close = (name: string) => message("C", `S${name}\0`);

Deno.test("repeatMessages: a name is closed before it is given, whoever gives it", () => {
  const repeated = (...messages: Uint8Array[]) =>
    repeatMessages(sessionState(concat(messages)));
  const one = prepared("One", "select 1");
  assert.deepEqual(repeated(one), [close("One"), one]);
  assert.deepEqual(repeated(close("One")), [close("One")]);
  assert.deepEqual(repeated(one, close("One")), [close("One")]);
  assert.deepEqual(repeated(close("One"), one), [
    close("One"),
    close("One"),
    one,
  ]);
  for (
    const [text, name] of [
      ["prepare Two as select 1", "two"],
      ['PREPARE "T""wo"(int) as select $1', 'T"wo'],
      ["prepare two(int) as select $1", "two"],
    ] as const
  ) assert.deepEqual(repeated(query(text)), [close(name), query(text)]);
  assert.deepEqual(repeated(query(TOKYO)), [query(TOKYO)]);
});

Deno.test("isRepeatable: a lock that is counted is not", () => {
  const isSo = (text: string) => isRepeatable(sessionState(query(text)));
  assert.equal(isSo(TOKYO), true);
  assert.equal(isSo("select pg_advisory_lock(1)"), false);
  assert.equal(isSo("select pg_try_advisory_lock(1)"), false);
});

const texts = (log: SessionLog) =>
  log.messages.map((bytes) => new TextDecoder().decode(bytes.slice(5, -1)));

Deno.test("SessionLog: what was deallocated is not brought back, whoever prepared it", () => {
  const q = [query("prepare Q as select 1")];
  const parsed = [prepared("q", "select 2")];
  const named = [prepared("Other", "select 3")];
  for (const text of ["deallocate q", 'DEALLOCATE PREPARE "q" ;', "close"]) {
    const end = text === "close" ? close("q") : query(text);
    for (const statement of [q, parsed]) {
      assert.deepEqual(texts(logOf(statement, [end])), []);
      assert.equal(logOf(statement, named, [end]).messages.length, 1);
    }
  }
  assert.equal(logOf(q, named, [query("deallocate other")]).messages.length, 2);
  assert.deepEqual(texts(logOf(q, named, [query("deallocate all")])), []);
  assert.deepEqual(
    texts(logOf([query(TOKYO)], q, [query("deallocate all")])),
    [TOKYO],
  );
  assert.deepEqual(texts(logOf(q, q)), ["prepare Q as select 1"]);
});

Deno.test("SessionLog: thousands of statements that are prepared and deallocated leave nothing", () => {
  const log = new SessionLog();
  for (let i = 0; i < 3_000; i++) {
    log.add(sessionState(prepared(`pdo_stmt_${i}`, "select 1")));
    log.add(sessionState(query(`DEALLOCATE pdo_stmt_${i}`)));
  }
  assert.equal(log.lost, false);
  assert.deepEqual(log.messages, []);
});

Deno.test("SessionLog: behind DISCARD ALL the session is a new one", () => {
  const temporary = [query("create temp table t (a int)")];
  assert.equal(logOf(temporary).lost, true);
  for (const discard of [query("Discard All;"), prepared("", "DISCARD ALL")]) {
    const log = logOf([query(TOKYO)], temporary, [discard], [query(LIMA)]);
    assert.equal(log.lost, false);
    assert.deepEqual(texts(log), [LIMA]);
  }
  assert.equal(logOf(temporary, [query("discard temp")]).lost, true);
});

Deno.test("SessionLog: names are followed behind comments and semicolons", () => {
  const last = "/* b */ PREPARE q AS SELECT 2;";
  for (
    const [first, end] of [
      ["PREPARE q AS SELECT 1;", "DEALLOCATE q;"],
      ["/* a */ prepare q as select 1", "DEALLOCATE q /* trace */ ;"],
      ["-- a\nprepare q as select 1 ;", "deallocate all -- b"],
    ] as const
  ) {
    const log = logOf([query(first)], [query(end)], [query(last)]);
    assert.deepEqual([texts(log), log.lost], [[last], false], first);
  }
  for (const end of ["DISCARD ALL -- reset", "discard all /* pool */;"]) {
    assert.equal(
      logOf([query("create temp table t ()")], [query(end)]).lost,
      false,
    );
  }
});

Deno.test("SessionLog: several statements in one text that give names are not followed", () => {
  for (
    const text of [
      "prepare q as select 1; prepare r as select 2",
      "set a = 1; deallocate q",
      "discard all; set a = 1",
    ]
  ) assert.equal(logOf([query(text)]).lost, true, text);
});

Deno.test("SessionLog: a library stays behind DISCARD ALL", () => {
  const load = "load 'auto_explain'";
  const log = logOf([query(load)], [query(TOKYO)], [query("discard all")]);
  assert.deepEqual(texts(log), [load]);
});

Deno.test("SessionLog: what has a name runs later: its text is repeated in its place", () => {
  const log = logOf([query(TOKYO)], [prepared("s0", "DISCARD ALL")]);
  assert.deepEqual(log.messages.map(([type]) => type), [0x51, 0x50, 0x51]);
});
