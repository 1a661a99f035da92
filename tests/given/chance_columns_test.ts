import assert from "node:assert/strict";
import { Catalog } from "../../src/catalog/mod.ts";
import { ChanceColumns } from "../../src/given/chance_columns.ts";

const catalog = new Catalog();
const drawn = (column: string) => ({
  oid: "1",
  relation: "t",
  column,
  mask: "sequence" as const,
  lagUs: 0,
});

Deno.test("ChanceColumns: what has changed is told once, a part at a time", () => {
  const columns = new ChanceColumns(() => assert.fail());
  columns.drawn(drawn("a"), "not returned", catalog);
  columns.drawn(drawn("b"), "not returned", catalog);
  columns.drawn(drawn("b"), "collided", catalog);
  const taken = (limit: number) =>
    columns.takeChanged(limit).map(({ column, drawn }) => [column, drawn]);
  assert.deepEqual(taken(1), [["a", { "not returned": 1 }]]);
  assert.deepEqual(taken(9), [["b", { "not returned": 1, collided: 1 }]]);
  assert.deepEqual(taken(9), []);
  columns.drawn(drawn("a"), "not returned", catalog);
  assert.deepEqual(taken(9), [["a", { "not returned": 2 }]]);
});

Deno.test("ChanceColumns: beyond its bound a column is not told of, and that is said once", () => {
  let full = 0;
  const columns = new ChanceColumns(() => full++);
  for (let i = 0; i < 10_002; i++) {
    columns.drawn(drawn(`c${i}`), "not returned", catalog);
  }
  columns.drawn(drawn("c0"), "not returned", catalog);
  const taken = columns.takeChanged(Infinity);
  assert.equal(taken.length, 10_000);
  assert.deepEqual(taken[0]?.drawn, { "not returned": 2 });
  assert.equal(full, 1);
});
