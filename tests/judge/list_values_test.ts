import assert from "node:assert/strict";
import { areListsAlike, listText } from "../../src/judge/list_values.ts";
import { BYTEA, JSON_TYPE, JSONB, TEXT } from "../../src/judge/type_oids.ts";
import { concat, int32 } from "../support/wire_client.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

Deno.test("listText: equal for the same elements in any order, at any depth", () => {
  const same: readonly [a: string, b: string, type: number][] = [
    ["{1,2,3}", "{3,1,2}", 1007],
    ['{"a,b","c\\"}",NULL}', '{NULL,"c\\"}","a,b"}', 1009],
    ["{{1,2},{3,4}}", "{{3,4},{1,2}}", 1007],
    ["[1, 2]", "[2, 1]", JSON_TYPE],
    ['[{"a": [1, 2]}, "x"]', '["x",{"a":[2,1]}]', JSONB],
    ["a, b, c", "c, a, b", TEXT],
  ];
  for (const [a, b, type] of same) {
    const [one, other] = [a, b].map((text) => listText(bytes(text), type, []));
    assert.ok(one !== undefined);
    assert.equal(one, other, `${a} | ${b}`);
  }
  const others: readonly [a: string, b: string, type: number][] = [
    ["{1,2,3}", "{1,2,4}", 1007],
    ["{1,1,2}", "{1,2,2}", 1007],
    ["{{1,2},{3,4}}", "{{1,3},{2,4}}", 1007],
    ['{"a,b"}', "{a,b}", 1009],
    ['[{"a":1,"b":2}]', '[{"a":2,"b":1}]', JSON_TYPE],
    ["a, b", "a, c", TEXT],
  ];
  for (const [a, b, type] of others) {
    assert.notEqual(
      listText(bytes(a), type, []),
      listText(bytes(b), type, []),
      `${a} | ${b}`,
    );
  }
});

Deno.test("listText: binary arrays, and broken ones", () => {
  const array = (...values: number[]) =>
    concat([
      int32(1),
      int32(0),
      int32(23),
      int32(values.length),
      int32(1),
      ...values.flatMap((value) => [int32(4), int32(value)]),
    ]);
  const text = (cell: Uint8Array) => listText(cell, 1007, []);
  assert.equal(text(array(1, 2, 3)), text(array(3, 1, 2)));
  assert.notEqual(text(array(1, 2, 3)), text(array(1, 2, 4)));
  assert.equal(text(array(1).subarray(0, 7)), undefined);
  assert.equal(text(concat([array(1, 2).subarray(0, -1)])), undefined);
  assert.equal(listText(bytes("}{"), 1007, []), undefined);
});

Deno.test("areListsAlike: parts of several separators, and not letters that changed places", () => {
  const alike = (a: string, b: string, ...separators: string[]) =>
    listText(bytes(a), TEXT, separators) ===
        listText(bytes(b), TEXT, separators)
      ? areListsAlike(bytes(a), bytes(b), TEXT, separators)
      : false;
  assert.equal(alike("x-1, y-2", "y-2, x-1", ", "), true);
  assert.equal(alike("a b;c", "c;a b", ", ", ";"), true);
  assert.equal(alike("foo bar, baz", "foo baz, bar", ", "), false);
  assert.equal(alike("a1,b2", "a2,b1", ","), false);
  // Two that overlap: an element begins with a space.
  assert.equal(alike("x, y", " y,x", ", ", ","), undefined);
  assert.equal(alike("x, y", " y,z", ", ", ","), false);
  assert.equal(alike("[1, 2]", "[2, 1]"), true);
  assert.equal(alike("[1, 2]", "[2, 3]"), false);
  assert.equal(alike("[x], [y]", "[y], [x]", ", "), true);
  assert.equal(
    areListsAlike(bytes("\\x6162"), bytes("\\x6261"), BYTEA, []),
    undefined,
  );
});

Deno.test("listText: binary jsonb is its text behind a version", () => {
  const jsonb = (text: string) =>
    listText(concat([Uint8Array.of(1), bytes(text)]), JSONB, []);
  assert.equal(jsonb("[1, 2]"), jsonb("[2, 1]"));
  assert.notEqual(jsonb("[1, 2]"), jsonb("[2, 3]"));
});

Deno.test("listText: what separators share is found once, and not for each cell", () => {
  let reads = 0;
  const separators = new Proxy([", ", "; "], {
    get: (list, name) => {
      if (name === "some") reads++;
      return Reflect.get(list, name);
    },
  });
  const once = (listText(bytes("a, b"), TEXT, separators), reads);
  assert.ok(once > 0);
  for (let i = 0; i < 100; i++) listText(bytes("a, b"), TEXT, separators);
  assert.equal(reads, once);
});

Deno.test("listText: brackets that are too deep are compared by their letters, and that can't be told", () => {
  const nested = (depth: number, inner: string) =>
    `${"[".repeat(depth)}${inner}${"]".repeat(depth)}`;
  for (const type of [TEXT, JSON_TYPE]) {
    const alike = (depth: number, a: string, b: string) => {
      const [one, other] = [nested(depth, a), nested(depth, b)].map(bytes);
      assert.ok(one !== undefined && other !== undefined);
      return listText(one, type, []) === listText(other, type, [])
        ? areListsAlike(one, other, type, [])
        : false;
    };
    assert.equal(alike(100, "12, 3", "3, 12"), true);
    assert.equal(alike(100, "12, 3", "13, 2"), false);
    // A list within each other one was written out at each level.
    for (const depth of [101, 200_000]) {
      assert.equal(alike(depth, "12, 3", "3, 12"), undefined);
      assert.equal(alike(depth, "12, 3", "12, 4"), false);
    }
  }
  // Without its end a bracket tells nothing of elements.
  const [one, other] = [bytes("[12, 3"), bytes("[13, 2")];
  assert.equal(listText(one, TEXT, []), listText(other, TEXT, []));
  assert.equal(areListsAlike(one, other, TEXT, []), undefined);
});
