import assert from "node:assert/strict";
import { resolveNames } from "../../src/control/names.ts";

Deno.test("resolveNames: an address and a folder stand for themselves, brackets go", async () => {
  const { addresses, failed } = await resolveNames(
    ["10.0.0.1", "::1", "[::1]", "/run/postgresql"],
    new Map(),
    () => Promise.reject(new Error("nobody is asked")),
  );
  assert.deepEqual(Object.fromEntries(addresses), {
    "10.0.0.1": "10.0.0.1",
    "::1": "::1",
    "[::1]": "::1",
    "/run/postgresql": "/run/postgresql",
  });
  assert.equal(failed.size, 0);
});

Deno.test("resolveNames: a name keeps its address as long as it has it, and moves when not", async () => {
  const before = new Map([["kept", "10.0.0.2"], ["moved", "10.0.0.2"]]);
  const answers: Record<string, string[]> = {
    kept: ["10.0.0.1", "10.0.0.2"],
    moved: ["10.0.0.3", "10.0.0.4"],
    fresh: ["10.0.0.9"],
  };
  const { addresses, moved } = await resolveNames(
    ["kept", "moved", "fresh", "kept"],
    before,
    (host) => Promise.resolve(answers[host] ?? []),
  );
  assert.deepEqual(Object.fromEntries(addresses), {
    kept: "10.0.0.2",
    moved: "10.0.0.3",
    fresh: "10.0.0.9",
  });
  assert.deepEqual(moved, [
    { host: "moved", from: "10.0.0.2", to: "10.0.0.3" },
  ]);
});

Deno.test("resolveNames: without an answer a known name keeps its address, another one has none", async () => {
  const { addresses, moved, failed } = await resolveNames(
    ["known", "unknown", "empty"],
    new Map([["known", "10.0.0.2"]]),
    (host) =>
      host === "empty"
        ? Promise.resolve([])
        : Promise.reject(new Error("resolver is away")),
  );
  assert.deepEqual([...addresses], [["known", "10.0.0.2"]]);
  assert.deepEqual(moved, []);
  assert.deepEqual(Object.fromEntries(failed), {
    known: "resolver is away",
    unknown: "resolver is away",
    empty: "no address",
  });
});
