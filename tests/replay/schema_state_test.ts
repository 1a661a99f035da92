import assert from "node:assert/strict";
import { SchemaState } from "../../src/replay/schema_state.ts";

/** A state whose types are asked for, and what waits for them. */
function asked() {
  const state = new SchemaState();
  state.ask();
  const runs: string[] = [];
  const known = new Set<string>();
  const wait = (name: string) =>
    state.waitForTypes(() => known.has(name), () => runs.push(name));
  return { state, runs, known, wait };
}

Deno.test("SchemaState: nothing waits for types that are known, or are not asked for", () => {
  const { state, known, wait } = asked();
  known.add("mood");
  assert.equal(wait("mood"), false);
  assert.equal(wait("other"), true);
  state.typesTold(true);
  assert.equal(wait("other"), false);
  assert.equal(new SchemaState().waitForTypes(() => false, () => {}), false);
});

Deno.test("SchemaState: what waits for types runs when they are known, or no look follows", () => {
  const { state, runs, known, wait } = asked();
  wait("mood");
  wait("other");
  known.add("mood");
  state.typesTold(false);
  assert.deepEqual(runs, ["mood"]);
  state.typesTold(true);
  assert.deepEqual(runs, ["mood", "other"]);
});

Deno.test("SchemaState: what waits for a type that is never told of runs behind two looks, definition upon definition", () => {
  const { state, runs, wait } = asked();
  wait("temporary");
  for (const expected of [0, 1, 1]) {
    state.ask();
    state.typesTold(false);
    assert.equal(runs.length, expected);
  }
  assert.equal(wait("temporary"), true);
});
