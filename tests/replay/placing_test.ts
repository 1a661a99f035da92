import assert from "node:assert/strict";
import { loadModule } from "libpg-query";
import {
  ANYWHERE,
  type Footprint,
  type Relations,
} from "../../src/replay/footprint.ts";
import { planTransaction } from "../../src/replay/plan.ts";
import { SessionStatements } from "../../src/replay/session_statements.ts";
import type { Shape } from "../../src/sql/shape.ts";
import { ShapeCache } from "../../src/sql/shape_cache.ts";
import { TappedSession } from "../support/tapped_session.ts";
import { concat, message, query } from "../support/wire_client.ts";

await loadModule();

/** A query, with the error that it got, and the status of the session behind it. */
type Cycle = [sql: string, code: string, status: "I" | "T" | "E"];

/** Statements meet in the relations that they name. */
function footprintOf({ kind, reads, writes, calls }: Shape): Footprint {
  const all = [...new Set([...reads, ...writes])];
  const touched: Relations = kind === "ddl" ? "all" : all;
  if (calls.includes("pg_advisory_unlock")) {
    return {
      ...ANYWHERE,
      touched: ["lock"],
      written: ["lock"],
      releases: true,
    };
  }
  return { ...ANYWHERE, touched, written: kind === "ddl" ? "all" : writes };
}

function placed(...cycles: Cycle[]) {
  const shapes = new ShapeCache(100);
  const session = new TappedSession(shapes);
  for (const [sql, code, status] of cycles) {
    const answer = code === ""
      ? message("C", sql.startsWith("select") ? "SELECT 1\0" : "UPDATE 1\0")
      : message("E", `SERROR\0VERROR\0C${code}\0Mno\0\0`);
    session.nowUs += 100;
    session.client(query(sql));
    session.server(concat([answer, message("Z", status)]));
  }
  const [transaction] = session.transactions;
  assert.ok(transaction);
  const plan = planTransaction(
    transaction,
    new SessionStatements(shapes),
    footprintOf,
  );
  return { ...plan, endUs: transaction.endUs };
}

const INSERT = "insert into t values (1)";

Deno.test("placeTransaction: a refused INSERT has a place, and waits as a writer does", () => {
  const { place, turns, endUs } = placed([INSERT, "23505", "I"]);
  assert.ok(place);
  assert.deepEqual(place.refused?.touched, ["t"]);
  assert.deepEqual(place.written, [], "nothing is there for others");
  assert.equal(place.writes, undefined);
  assert.equal(place.key, endUs);
  const [turn] = turns;
  assert.ok(turn && turn.committedBeforeUs > 0);
  assert.equal(turn.refusedBeforeUs, 0, "it keeps nothing");
});

Deno.test("placeTransaction: a failed block has its place where it failed, and sees nothing behind", () => {
  const { place, turns } = placed(
    ["begin", "", "T"],
    ["update u set a = 1", "", "T"],
    [INSERT, "23505", "E"],
    ["select * from v", "25P02", "E"],
    ["rollback", "", "I"],
  );
  assert.ok(place);
  assert.deepEqual(place.written, ["u", "u\0any"]);
  assert.deepEqual(place.refused?.touched, ["t"]);
  assert.equal(place.key, place.refused?.completeUs);
  assert.equal(place.earliestUs, place.refused?.sentUs);
  assert.deepEqual(
    turns.map(({ touched, committedBeforeUs, completedBeforeUs }) => [
      ...touched,
      committedBeforeUs > 0,
      completedBeforeUs > 0,
    ]),
    [
      [false, false],
      ["u", true, true],
      ["t", true, true],
      [false, false],
      [false, false],
    ],
  );
});

Deno.test("placeTransaction: a savepoint brings a block back, which has its place where it commits", () => {
  const { place, turns } = placed(
    ["begin", "", "T"],
    ["savepoint a", "", "T"],
    [INSERT, "23505", "E"],
    ["rollback to a", "", "T"],
    ["commit", "", "I"],
  );
  assert.ok(place?.refused);
  assert.ok(place.earliestUs > place.refused.sentUs);
  assert.equal(turns.length, 5);
});

Deno.test("placeTransaction: a reader has a place for definitions, a writer none as a reader", () => {
  const { place } = placed(["select * from t", "", "I"]);
  assert.deepEqual(place?.read?.touched, ["t"]);
  assert.ok(place && place.key <= place.endUs);
  assert.equal(placed(["select 1", "", "I"]).place, undefined);
  assert.equal(
    placed(["begin", "", "T"], ["commit", "", "I"]).place,
    undefined,
  );
  assert.equal(placed([INSERT, "", "I"]).place?.read, undefined);
  const definition = placed(["alter table t add b int", "", "I"]);
  assert.equal(definition.turns[0]?.defines, true);
  const refused = placed(["alter table t add b int", "42701", "I"]);
  assert.equal(refused.turns[0]?.defines, false);
  assert.equal(refused.place?.refused?.touched, "all");
});

Deno.test("placeTransaction: who lets go of a lock waits for nobody beside, and others wait for the moment when it was sent", () => {
  const { place, turns } = placed(["select pg_advisory_unlock(1)", "", "I"]);
  assert.ok(place);
  assert.deepEqual(place.written, ["lock", "lock\0any"]);
  assert.equal(place.key, place.earliestUs);
  assert.ok(place.key < place.endUs);
  assert.equal(turns[0]?.committedBeforeUs, 0);
  assert.ok(turns[0] && turns[0].completedBeforeUs > 0);
});

Deno.test("placeTransaction: what takes a snapshot waits for all that its transaction touches", () => {
  const update = "update u set a = 1";
  const waits = (begin: string, second: string) => {
    const { turns } = placed(
      [begin, "", "T"],
      ["select * from t", "", "T"],
      [second, "", "T"],
      ["commit", "", "I"],
    );
    const { touched = [], committedBeforeUs = 0 } = turns[1] ?? {};
    return [[...touched].join(" "), committedBeforeUs > 0];
  };
  const begin = "begin isolation level repeatable read";
  assert.deepEqual(waits(begin, update), ["t u", true]);
  assert.deepEqual(waits(begin, "select * from u"), ["t u", false]);
  assert.deepEqual(waits("begin", update), ["t", false]);
});
