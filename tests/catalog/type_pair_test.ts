import assert from "node:assert/strict";
import { FIRST_OWN_OID, TypePair } from "../../src/catalog/mod.ts";

function pairOf(
  primary: Readonly<Record<number, string>> | undefined,
  mirror: Readonly<Record<number, string>> | undefined,
): TypePair {
  const pair = new TypePair();
  if (primary !== undefined) pair.primary.learn(rows(primary));
  if (mirror !== undefined) pair.mirror.learn(rows(mirror));
  return pair;
}

function rows(names: Readonly<Record<number, string>>): string[][] {
  return Object.entries(names).map(([oid, name]) => ["type", oid, name, "0"]);
}

Deno.test("TypePair: own types are the same if their names are, built-in ones if their numbers are", () => {
  const types = pairOf(
    { 20_000: "mood", 20_001: "other" },
    { 30_000: "mood", 20_000: "other" },
  );
  assert.equal(types.areSame(20_000, 30_000), true);
  assert.equal(types.areSame(20_000, 20_000), false);
  assert.equal(types.areSame(20_001, 20_000), true);
  assert.equal(types.areSame(25, 25), true);
  assert.equal(types.areSame(25, 1043), false);
  assert.equal(types.areSame(25, 30_000), false);
  assert.equal(types.areSame(20_000, 25), false);
});

Deno.test("TypePair: what is not known may be any own type", () => {
  const sides = [
    pairOf(undefined, { 30_000: "mood" }),
    pairOf({ 20_000: "mood" }, undefined),
    pairOf({ 20_001: "mood" }, { 30_001: "other" }),
    new TypePair(),
  ];
  for (const types of sides) {
    assert.equal(types.areSame(20_000, 30_000), true);
    assert.equal(types.areSame(25, 30_000), false);
    assert.equal(types.primaryMark(20_000), types.mirrorMark(30_000));
  }
  const types = pairOf({ 20_000: "mood" }, { 30_000: "other" });
  assert.equal(types.areSame(20_000, 30_000), false);
  types.primary.forget();
  assert.equal(types.areSame(20_000, 30_000), true);
});

Deno.test("TypePair: a type is what it was named before, until another server comes", () => {
  const types = pairOf({ 20_000: "mood" }, { 30_000: "mood" });
  types.primary.forget();
  // A new type has the old name, and the mirror is behind.
  types.primary.learn(rows({ 20_000: "feeling", 20_001: "mood" }));
  assert.equal(types.areSame(20_000, 30_000), true);
  assert.equal(types.primaryMark(20_000), types.mirrorMark(30_000));
  types.mirror.learn(rows({ 30_000: "feeling", 30_001: "mood" }));
  assert.equal(types.areSame(20_000, 30_000), true);
  assert.equal(types.primaryMark(20_000), types.mirrorMark(30_000));
  types.primary.reset();
  types.primary.learn(rows({ 20_000: "third" }));
  assert.equal(types.areSame(20_000, 30_001), false);
});

Deno.test("TypePair: a mark is a type's on both servers, and no built-in type's", () => {
  const types = pairOf(
    { 20_000: "mood", 20_001: "other", 20_002: "theirs" },
    { 30_000: "other", 30_001: "mood", 30_002: "ours" },
  );
  const mood = types.primaryMark(20_000);
  assert.equal(mood, types.mirrorMark(30_001));
  assert.notEqual(mood, types.mirrorMark(30_000));
  const any = types.primaryMark(20_002);
  assert.equal(any, types.mirrorMark(30_002));
  assert.notEqual(any, mood);
  assert.ok(Math.min(mood, any) >= FIRST_OWN_OID);
});

Deno.test("TypePair: the mirror's OID is that of the name, known until another server comes", () => {
  const types = pairOf(
    { 20_000: "mood", 20_001: "theirs", 12_000: "early" },
    { 30_000: "mood", 20_001: "ours", 13_000: "early" },
  );
  assert.equal(types.mirrorOid(20_000), 30_000);
  assert.equal(types.mirrorOid(20_001), undefined);
  assert.equal(types.mirrorOid(25), 25);
  assert.equal(types.mirrorOid(12_000), 12_000);
  assert.equal(types.areMoved, true);
  types.primary.forget();
  types.mirror.forget();
  assert.equal(types.mirrorOid(20_000), 30_000);
  types.mirror.learn(rows({ 30_001: "mood" }));
  assert.equal(types.mirrorOid(20_000), 30_001);
  types.mirror.reset();
  assert.equal(types.mirrorOid(20_000), undefined);
  assert.equal(types.areMoved, false);
});

Deno.test("TypePair: a type that was renamed on the primary is found on a mirror that is behind", () => {
  const types = pairOf({ 20_000: "mood" }, { 30_000: "mood" });
  types.primary.learn(rows({ 20_000: "feeling" }));
  assert.equal(types.mirrorOid(20_000), 30_000);
  types.mirror.learn(rows({ 30_000: "feeling" }));
  assert.equal(types.mirrorOid(20_000), 30_000);
});

Deno.test("TypePair: nothing has moved where all OIDs are equal, be it known or not", () => {
  assert.equal(new TypePair().areMoved, false);
  const types = pairOf(
    { 20_000: "mood", 12_000: "early", 20_001: "theirs" },
    { 20_000: "mood", 12_001: "early", 20_002: "ours" },
  );
  assert.equal(types.areMoved, false);
});
