import assert from "node:assert/strict";
import { PreparedStatements } from "../../src/given/prepared_statements.ts";

const A = { oid: "1" };
const B = { oid: "2" };

Deno.test("PreparedStatements: what the mirror refused or skipped is taken back", () => {
  const prepared = new PreparedStatements<typeof A>();
  prepared.set("s", A, 0);
  prepared.answered(1);
  // Its name is taken: the second message fails, the third is skipped.
  prepared.set("s", B, 1);
  assert.equal(prepared.get("s"), B, "for the messages behind it");
  prepared.set("s", undefined, 2);
  prepared.answered(1);
  assert.equal(prepared.get("s"), A);
  prepared.set("s", undefined, 0);
  prepared.set("t", B, 1);
  prepared.answered(2);
  assert.equal(prepared.get("s"), undefined);
  assert.equal(prepared.get("t"), B);
});

Deno.test("PreparedStatements: all are forgotten, unless that was refused", () => {
  const prepared = new PreparedStatements<typeof A>();
  prepared.set("s", A, 0);
  prepared.set("t", B, 1);
  prepared.answered(2);
  prepared.forget(0);
  assert.equal(prepared.size, 0);
  prepared.answered(0);
  assert.equal(prepared.size, 2);
  prepared.forget(0);
  prepared.answered(1);
  assert.equal(prepared.size, 0);
});
