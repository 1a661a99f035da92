import assert from "node:assert/strict";
import { CollationPair } from "../../src/catalog/mod.ts";

const C = ["collation", "950", "1,2,3", "pg_catalog.C", ""];
const EN = ["collation", "16400", "2,1,3", "public.en", ""];
const column = (name: string, oid: string) => ["column", "app", "t", name, oid];

/** A server whose default sorts like that. */
const server = (order: string, ...rows: string[][]) => [
  ["texts", "6162", "", "", ""],
  ["collation", "100", order, "pg_catalog.default", ""],
  ...rows,
];

function pair(primary: string[][], mirror: string[][]): CollationPair {
  const collations = new CollationPair();
  collations.learn(primary, mirror);
  return collations;
}

const ALIKE = { isDefault: false, isOtherwise: false };
const OTHERWISE = { isDefault: false, isOtherwise: true };

Deno.test("CollationPair: a column is sorted otherwise where its collations sort otherwise", () => {
  const both = pair(
    server("1,2,3", C, column("a", "950"), column("b", "950")),
    server(
      "1,2,3",
      ["collation", "17000", "2,1,3", "public.en", ""],
      ["collation", "950", "1,2,3", "pg_catalog.C", ""],
      column("a", "950"),
      column("b", "17000"),
      column("c", "17000"),
    ),
  );
  const of = (name: string) => both.of("app", "t", name);
  assert.deepEqual(of("a"), ALIKE);
  assert.deepEqual(of("b"), OTHERWISE);
  assert.deepEqual(of("c"), OTHERWISE, "the default on the primary");
  assert.deepEqual(of("d"), { isDefault: true, isOtherwise: false });
  assert.deepEqual(both.of("other", "t", "b"), {
    isDefault: true,
    isOtherwise: false,
  });
  assert.deepEqual(both.otherwise, {
    collations: [
      "pg_catalog.C on the primary, public.en on the mirror",
      "pg_catalog.default on the primary, public.en on the mirror",
    ],
    columns: ["app.t.b", "app.t.c"],
  });
});

Deno.test("CollationPair: other names and OIDs of an order are the same order", () => {
  const both = pair(
    server("1,2,3", EN, column("a", "16400")),
    server("1,2,3", ["collation", "9", "2,1,3", "x.y", ""], column("a", "9")),
  );
  assert.deepEqual(both.of("app", "t", "a"), ALIKE);
  assert.deepEqual(both.otherwise, { collations: [], columns: [] });
});

Deno.test("CollationPair: the database's default is one of them", () => {
  const both = pair(
    server("1,2,3", C, column("a", "950")),
    server("2,1,3", C, column("a", "950")),
  );
  assert.ok(both.isDefaultOtherwise);
  assert.deepEqual(both.of("app", "t", "b"), {
    isDefault: true,
    isOtherwise: true,
  });
  assert.deepEqual(both.of("app", "t", "a"), ALIKE);
  assert.ok(!pair(server("1,2,3"), server("1,2,3")).isDefaultOtherwise);
});

Deno.test("CollationPair: a collation's name is known where both servers told of it", () => {
  const other = ["collation", "16400", "1,3,2", "public.en", ""];
  const both = pair(server("1", EN, C), server("1", other, C));
  assert.ok(both.isNamedOtherwise("en"));
  assert.ok(!both.isNamedOtherwise("C"));
  assert.ok(!pair(server("1", EN), server("1")).isNamedOtherwise("en"));
});

Deno.test("CollationPair: what a server has not told is sorted alike", () => {
  const theirs = server("1,2,3");
  const ours = server("2,1,3");
  const [, ...noTexts] = ours;
  const otherTexts = [["texts", "63", "", "", ""], ...noTexts];
  for (const mirror of [[], noTexts, otherTexts]) {
    assert.ok(!pair(theirs, mirror).isDefaultOtherwise);
    assert.ok(!pair(mirror, ours).isDefaultOtherwise);
    assert.ok(!pair(theirs, mirror).areKnown);
  }
  assert.ok(!pair(theirs, server("")).isDefaultOtherwise);
  const both = pair(theirs, ours);
  assert.ok(both.areKnown && both.isDefaultOtherwise);
  const { version } = both;
  both.forget();
  assert.ok(!both.isDefaultOtherwise);
  assert.notEqual(both.version, version);
});
